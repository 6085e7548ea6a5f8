//! A row at a time.
use rayon::prelude::*;

use crate::simd::{Isa, Kernel, Simd, math};

/// Values that a thread takes at a time, about.
const CHUNK: usize = 1 << 13;

/// Softmax of rows of `n` values; y is overwritten.
pub fn forward(isa: Isa, x: &[f32], n: usize, y: &mut [f32]) {
    assert!(x.len() == y.len() && x.len().is_multiple_of(n.max(1)), "softmax: extents");
    let rows = CHUNK.div_ceil(n.max(1)) * n.max(1);
    let chunks = x.par_chunks(rows).zip(y.par_chunks_mut(rows));
    chunks.for_each(|(x, y)| {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            y.copy_from_slice(x);
            isa.run(Row(y));
        }
    });
}

/// `dx = y (dy - sum dy y)` by rows of `n` values.
pub fn backward(y: &[f32], dy: &[f32], n: usize, dx: &mut [f32]) {
    assert!(y.len() == dy.len() && y.len() == dx.len(), "softmax: extents");
    let rows = CHUNK.div_ceil(n.max(1)) * n.max(1);
    let chunks = y.par_chunks(rows).zip(dy.par_chunks(rows)).zip(dx.par_chunks_mut(rows));
    chunks.for_each(|((y, dy), dx)| {
        for ((y, dy), dx) in y.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n)) {
            let dot: f32 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
            for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
                *dx = y * (dy - dot);
            }
        }
    });
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
