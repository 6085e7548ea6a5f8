//! Means and variances over rows, on all threads. The loops over channels are plain, here as in the other passes; each
//! instruction set compiles them for itself.
use rayon::prelude::*;

use crate::simd::{Isa, Kernel, Simd};

/// Means and variances of channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Of every channel.
    pub mean: Vec<f64>,
    /// Of every channel, divided by the number of rows.
    pub variance: Vec<f64>,
    /// Rows that they were computed from: gradients go through them. None: they are given.
    pub rows: Option<usize>,
}

/// Rows that are summed in f32.
pub(super) const ROWS: usize = 128;

/// Statistics of the rows of `x`.
pub fn statistics(isa: Isa, x: &[f32], channels: usize) -> Statistics {
    let parts: Vec<[Vec<f32>; 3]> = x
        .par_chunks(ROWS * channels)
        .map(|x| {
            // Once about the first row for a mean, once more about that while the rows are in the cache: the first may
            // lie far from all others.
            let rows = (x.len() / channels) as f32;
            let (mut first, mut second) = (vec![0.0; channels], vec![0.0; channels]);
            isa.run(Moments { x, shift: &x[..channels], sums: [&mut first, &mut second] });
            let shift: Vec<f32> = first.iter().zip(x).map(|(sum, x)| x + sum / rows).collect();
            first.fill(0.0);
            second.fill(0.0);
            isa.run(Moments { x, shift: &shift, sums: [&mut first, &mut second] });
            [shift, first, second]
        })
        .collect();
    let (mut mean, mut square) = (vec![0.0; channels], vec![0.0; channels]);
    let mut rows = 0.0;
    for ([shift, first, second], x) in parts.iter().zip(x.chunks(ROWS * channels)) {
        // Chan, Golub and LeVeque 1979: means and sums of squares of two sets give those of both.
        let more = (x.len() / channels) as f64;
        let total = rows + more;
        for c in 0..channels {
            let (first, second) = (f64::from(first[c]), f64::from(second[c]));
            let apart = f64::from(shift[c]) + first / more - mean[c];
            mean[c] += apart * more / total;
            square[c] += second - first * first / more + apart * apart * rows * more / total;
        }
        rows = total;
    }
    let variance = square.iter().map(|s| (s / rows).max(0.0)).collect();
    Statistics { mean, variance, rows: Some(x.len() / channels) }
}

struct Moments<'a> {
    x: &'a [f32],
    shift: &'a [f32],
    sums: [&'a mut [f32]; 2],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [first, second] = self.sums;
        for x in self.x.chunks_exact(self.shift.len()) {
            for (((x, shift), first), second) in
                x.iter().zip(self.shift).zip(first.iter_mut()).zip(second.iter_mut())
            {
                let d = x - shift;
                *first += d;
                *second += d * d;
            }
        }
    }
}
