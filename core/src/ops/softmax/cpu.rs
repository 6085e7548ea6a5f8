//! Softmax of rows and its gradient, on all threads, each row by one of them.
use crate::ops::output::{by_chunks, by_rows, each, written};
use crate::simd::{Isa, Kernel, Simd, math};

/// Values that a thread takes at a time, about.
const CHUNK: usize = 1 << 13;

/// Softmax of rows of `n` values.
///
/// # Panics
/// If x does not hold whole rows.
#[must_use]
pub fn forward(isa: Isa, x: &[f32], n: usize) -> Vec<f32> {
    let n = n.max(1);
    assert!(x.len().is_multiple_of(n), "softmax: extents");
    let chunk = CHUNK.div_ceil(n) * n;
    written(x.len(), |y| {
        by_chunks(y, chunk, |at, y| {
            let y = y.write_copy_of_slice(&x[at * chunk..][..y.len()]);
            y.chunks_exact_mut(n).for_each(|y| isa.run(Row(y)));
            y
        })
    })
}

/// `dx = y (dy - sum dy y)` by rows of `n` values.
///
/// # Panics
/// If lengths differ, or they are not whole rows.
#[must_use]
pub fn backward(y: &[f32], dy: &[f32], n: usize) -> Vec<f32> {
    let n = n.max(1);
    assert!(y.len() == dy.len() && y.len().is_multiple_of(n), "softmax: extents");
    let rows = CHUNK.div_ceil(n);
    written(y.len(), |dx| {
        by_chunks(dx, rows * n, |chunk, dx| {
            by_rows!(dx, n, |row, dx| {
                let range = (chunk * rows + row) * n..(chunk * rows + row + 1) * n;
                let (y, dy) = (&y[range.clone()], &dy[range]);
                let dot: f32 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
                each(dx, y.iter().zip(dy).map(|(y, dy)| y * (dy - dot)))
            })
        })
    })
}

/// Softmax of one row in place.
struct Row<'a>(&'a mut [f32]);

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let max = self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shift = s.splat(max);
        let mut sum = 0.0;
        for chunk in self.0.chunks_mut(S::LANES) {
            let mut lanes = [f32::NEG_INFINITY; 16];
            lanes[..chunk.len()].copy_from_slice(chunk);
            // SAFETY: a register is at most 16 values.
            unsafe { s.store(lanes.as_mut_ptr(), math::exp(s, s.sub(s.load(lanes.as_ptr()), shift))) };
            chunk.copy_from_slice(&lanes[..chunk.len()]);
            sum += chunk.iter().sum::<f32>();
        }
        self.0.iter_mut().for_each(|y| *y /= sum);
    }
}
