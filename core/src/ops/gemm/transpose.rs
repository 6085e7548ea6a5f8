//! Matrices transposed on all threads, a square at a time.
use rayon::prelude::*;

/// Gives `f` the transpose of an `n x k` matrix.
pub(super) fn transposed<T>([n, k]: [usize; 2], b: &[f32], f: impl FnOnce(&[f32]) -> T) -> T {
    assert!(b.len() >= n * k, "gemm: B is too short for {n} x {k}");
    let mut scratch = SCRATCH.take();
    if scratch.len() < n * k {
        scratch.resize(n * k, 0.0);
    }
    transpose(&b[..n * k], k, &mut scratch[..n * k]);
    let result = f(&scratch[..n * k]);
    SCRATCH.set(scratch);
    result
}

thread_local! {
    /// Room for a transposed weight.
    static SCRATCH: std::cell::Cell<Vec<f32>> = const { std::cell::Cell::new(Vec::new()) };
}

/// Rows a multiple of so many values apart fall into few sets of a cache (lines of 64 bytes, 64 sets).
pub(super) const CONFLICT: usize = 512;

/// Side of the squares that [`transpose`] turns.
pub(super) const SQUARE: usize = 16;

/// The transpose of a row-major matrix of `cols` columns.
///
/// # Panics
/// If lengths do not fit.
pub fn transpose(from: &[f32], cols: usize, to: &mut [f32]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(cols.max(1)), "transpose: extents");
    if from.is_empty() {
        return;
    }
    let rows = from.len() / cols;
    to.par_chunks_mut(SQUARE * rows).enumerate().for_each(|(band, to)| {
        let first = band * SQUARE;
        let width = to.len() / rows;
        for row in (0..rows).step_by(SQUARE) {
            let height = SQUARE.min(rows - row);
            // Lines are read once, in order, whatever set they fall into.
            let mut square = [[0.0; SQUARE]; SQUARE];
            for (i, line) in square.iter_mut().enumerate().take(height) {
                line[..width].copy_from_slice(&from[(row + i) * cols + first..][..width]);
            }
            for j in 0..width {
                let to = &mut to[j * rows + row..][..height];
                to.iter_mut().zip(&square).for_each(|(to, line)| *to = line[j]);
            }
        }
    });
}
