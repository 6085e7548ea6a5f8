//! Large dense products on all threads, `C = A B` or `C += A B`: the `gemm` crate behind checked slices.
//!
//! An operand is a [`MatRef`] with any strides, so that transposes cost nothing here. Products that are split over threads
//! are split over rows and columns, never over the depth: results do not depend on the number of threads.
//! Small products, by one thread inside its cache, are [`crate::ops::small_gemm`]'s.
use gemm::Parallelism;
use rayon::prelude::*;

use super::output::{Room, each, written};

/// A matrix in memory: element (i, j) at `i * row + j * col`.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    values: &'a [f32],
    row: usize,
    col: usize,
}

impl<'a> MatRef<'a> {
    /// Row-major with rows `stride` apart.
    pub fn rows(values: &'a [f32], stride: usize) -> Self {
        Self { values, row: stride, col: 1 }
    }

    /// The transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }

    fn covers(&self, rows: usize, cols: usize) -> bool {
        rows == 0 || cols == 0 || self.values.len() > (rows - 1) * self.row + (cols - 1) * self.col
    }
}

/// Below this many multiplications a second thread costs more than it brings.
const PARALLEL: usize = 1 << 17;

/// `C = A B`, or `C += A B` with `accumulate`: A is `m x k`, B is `k x n`, C is row-major with rows `ldc` apart.
///
/// # Panics
/// If a slice is too short for the extents and strides.
pub fn gemm(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
) {
    run([m, n, k], a, b, c, ldc, accumulate, parallelism([m, n, k]));
}

fn parallelism([m, n, k]: [usize; 3]) -> Parallelism {
    let threads = rayon::current_num_threads();
    if threads > 1 && m * n * k >= PARALLEL { Parallelism::Rayon(threads) } else { Parallelism::None }
}

/// The same on the calling thread.
///
/// # Panics
/// See [`gemm`].
pub fn gemm_here(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
) {
    run([m, n, k], a, b, c, ldc, accumulate, Parallelism::None);
}

/// `A B`, row-major without gaps, as a new array that nobody has cleared first.
///
/// # Panics
/// See [`gemm`].
#[must_use]
pub fn product([m, n, k]: [usize; 3], a: MatRef<'_>, b: MatRef<'_>) -> Vec<f32> {
    written(m * n, |c| write([m, n, k], a, b, c, parallelism([m, n, k])))
}

/// `A B`, row-major without gaps, written to `c` on the calling thread.
///
/// # Panics
/// See [`gemm`].
pub(crate) fn write_here<'a>(
    mnk: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &'a mut Room,
) -> &'a mut [f32] {
    write(mnk, a, b, c, Parallelism::None)
}

fn write<'a>(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &'a mut Room,
    parallelism: Parallelism,
) -> &'a mut [f32] {
    assert!(a.covers(m, k) && b.covers(k, n), "gemm: operands are too short for {m} x {n} x {k}");
    assert_eq!(c.len(), m * n, "gemm: C for {m} x {n}");
    if k == 0 || c.is_empty() {
        return each(c, std::iter::repeat(0.0));
    }
    // SAFETY: the operands cover their extents, and C has room for m x n; the product does not read it.
    unsafe { run_at([m, n, k], a, b, c.as_mut_ptr().cast(), n, false, parallelism) };
    // SAFETY: every element of C was written.
    unsafe { c.assume_init_mut() }
}

/// [`product`] with B transposed: see [`gemm_by_rows`].
///
/// # Panics
/// See [`gemm`].
#[must_use]
pub fn product_by_rows([m, n, k]: [usize; 3], a: MatRef<'_>, b: &[f32]) -> Vec<f32> {
    if m < SQUARE || !k.is_multiple_of(CONFLICT) {
        return product([m, n, k], a, MatRef::rows(b, k).t());
    }
    transposed([n, k], b, |b| product([m, n, k], a, MatRef::rows(b, n)))
}

/// `C = A B^T`, or `C += A B^T`, with B `n x k` row-major, rows without gaps: a layer's forward pass, whose weight is
/// `(outputs, inputs)`.
///
/// The crate packs such a B along its rows, a value from each of many lines; with `k` a large power of two (times three)
/// they fall into few sets of the cache, and it loses up to half of its speed. Such a B is transposed first, which costs
/// one pass over it.
///
/// # Panics
/// See [`gemm`].
pub fn gemm_by_rows(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: &[f32],
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
) {
    if m < SQUARE || !k.is_multiple_of(CONFLICT) {
        return gemm([m, n, k], a, MatRef::rows(b, k).t(), c, ldc, accumulate);
    }
    transposed([n, k], b, |b| gemm([m, n, k], a, MatRef::rows(b, n), c, ldc, accumulate));
}

/// Gives `f` the transpose of an `n x k` matrix.
fn transposed<T>([n, k]: [usize; 2], b: &[f32], f: impl FnOnce(&[f32]) -> T) -> T {
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
const CONFLICT: usize = 512;

/// Side of the squares that [`transpose`] turns.
const SQUARE: usize = 16;

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

fn run(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.covers(m, k), "gemm: A is too short for {m} x {k}");
    assert!(b.covers(k, n), "gemm: B is too short for {k} x {n}");
    assert!(ldc >= n && c.len() >= (m - 1) * ldc + n, "gemm: C is too short for {m} x {n}");
    // SAFETY: every extent was checked against its slice right above; C is borrowed exclusively.
    unsafe { run_at([m, n, k], a, b, c.as_mut_ptr(), ldc, accumulate, parallelism) };
}

/// The crate's call.
///
/// # Safety
/// A covers `m x k`, B covers `k x n`, and `c` is valid for writing m rows of n values, `ldc` of at least n apart, and for
/// reading them if `accumulate`; they overlap neither A nor B.
unsafe fn run_at(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    // SAFETY: as the caller vouches; the rows of C do not overlap each other.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            ldc as isize,
            accumulate,
            a.values.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.col as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::check::{TestRng, narrow};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_f64_in_every_layout(
            m in 1usize..40, n in 1usize..40, k in 0usize..40, pad in 0usize..3, mode in 0..8,
        ) {
            let (ta, tb, accumulate) = (mode & 1 == 1, mode & 2 == 2, mode & 4 == 4);
            let mut rng = TestRng::new(mode as u64);
            let a = narrow(&rng.normals((m + pad) * (k + pad), 1.0));
            let b = narrow(&rng.normals((n + pad) * (k + pad), 1.0));
            let start = narrow(&rng.normals(m * (n + pad), 1.0));
            let va = if ta { MatRef::rows(&a, m + pad).t() } else { MatRef::rows(&a, k + pad) };
            let vb = if tb { MatRef::rows(&b, k + pad).t() } else { MatRef::rows(&b, n + pad) };
            let mut c = start.clone();
            gemm([m, n, k], va, vb, &mut c, n + pad, accumulate);
            for i in 0..m {
                for j in 0..n + pad {
                    let at = i * (n + pad) + j;
                    if j >= n {
                        prop_assert_eq!(c[at], start[at]);
                        continue;
                    }
                    let mut want = if accumulate { f64::from(start[at]) } else { 0.0 };
                    for l in 0..k {
                        want += f64::from(a[i * va.row + l * va.col]) * f64::from(b[l * vb.row + j * vb.col]);
                    }
                    prop_assert!((f64::from(c[at]) - want).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn rows_against_rows() {
        let mut rng = TestRng::new(3);
        for [m, n, k] in [[1, 5, 3], [15, 16, 512], [16, 33, 512], [40, 7, 1024], [20, 1, 64]] {
            let (a, b) = (narrow(&rng.normals(m * k, 1.0)), narrow(&rng.normals(n * k, 1.0)));
            let start = narrow(&rng.normals(m * n, 1.0));
            for accumulate in [false, true] {
                let (mut got, mut want) = (start.clone(), start.clone());
                gemm_by_rows([m, n, k], MatRef::rows(&a, k), &b, &mut got, n, accumulate);
                gemm([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, k).t(), &mut want, n, accumulate);
                if !accumulate {
                    assert_eq!(product_by_rows([m, n, k], MatRef::rows(&a, k), &b), got);
                    assert_eq!(product([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, k).t()), want);
                }
                assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-3), "{m} x {n} x {k}");
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let mut rng = TestRng::new(1);
        let [m, n, k] = [150, 200, 700];
        let (a, b) = (narrow(&rng.normals(m * k, 1.0)), narrow(&rng.normals(k * n, 1.0)));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let mut c = vec![0.0; m * n];
            pool.install(|| gemm([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, n), &mut c, n, false));
            c
        };
        let one = run(1);
        assert!(run(2) == one && run(3) == one && run(7) == one);
    }

    #[test]
    #[should_panic(expected = "B is too short")]
    fn a_short_operand_is_refused() {
        gemm([1, 2, 2], MatRef::rows(&[0.0; 2], 2), MatRef::rows(&[0.0; 3], 2), &mut [0.0; 2], 2, false);
    }
}
