//! Weighted sums of pixels, on all threads.
use rayon::prelude::*;

use super::Axis;
use crate::simd::{Isa, Kernel, Simd};

/// Images `(axes[0].size(), axes[1].size(), channels)` to `(axes[0].outputs(), axes[1].outputs(), channels)`; y is
/// overwritten.
///
/// # Panics
/// If lengths do not fit.
pub fn resample(isa: Isa, axes: [&Axis; 2], channels: usize, x: &[f32], y: &mut [f32]) {
    let [rows, columns] = axes;
    let image = rows.size() * columns.size() * channels;
    let pitch = columns.outputs() * channels;
    if y.is_empty() {
        return;
    }
    y.par_chunks_exact_mut(pitch).enumerate().for_each(|(row, y)| {
        let x = &x[row / rows.outputs() * image..][..image];
        isa.run(Row { rows: rows.taps(row % rows.outputs()), columns, channels, x, y });
    });
}

/// One row of y: as many taps as there are of the row, each a sum over the taps of the column.
struct Row<'a> {
    rows: &'a [(usize, f32)],
    columns: &'a Axis,
    channels: usize,
    /// The image, as large as the axes say.
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let wide = self.channels - self.channels % (4 * S::LANES);
        let whole = self.channels - self.channels % S::LANES;
        for column in 0..self.columns.outputs() {
            for c in (0..wide).step_by(4 * S::LANES) {
                self.registers::<S, 4>(s, column, c);
            }
            for c in (wide..whole).step_by(S::LANES) {
                self.registers::<S, 1>(s, column, c);
            }
            self.rest(column, whole);
        }
    }
}

impl Row<'_> {
    /// `N` registers of channels from `c` on.
    #[inline(always)]
    fn registers<S: Simd, const N: usize>(&mut self, s: S, column: usize, c: usize) {
        let (channels, pitch) = (self.channels, self.columns.size() * self.channels);
        let mut sums = [s.splat(0.0); N];
        for &(row, weight) in self.rows {
            let mut across = [s.splat(0.0); N];
            for &(tap, weight) in self.columns.taps(column) {
                let at = row * pitch + tap * channels + c;
                let weight = s.splat(weight);
                for (n, sum) in across.iter_mut().enumerate() {
                    // SAFETY: an axis' taps are below its size, x is a whole image, and c leaves room for N registers.
                    *sum = s.fma(weight, unsafe { s.load(self.x.as_ptr().add(at + n * S::LANES)) }, *sum);
                }
            }
            let weight = s.splat(weight);
            for (sum, across) in sums.iter_mut().zip(across) {
                *sum = s.fma(weight, across, *sum);
            }
        }
        for (n, sum) in sums.into_iter().enumerate() {
            // SAFETY: y is a whole row, and c leaves room for N registers.
            unsafe { s.store(self.y.as_mut_ptr().add(column * channels + c + n * S::LANES), sum) };
        }
    }

    /// Channels from `from` on, one by one.
    #[inline(always)]
    fn rest(&mut self, column: usize, from: usize) {
        let pitch = self.columns.size() * self.channels;
        for c in from..self.channels {
            let mut sum = 0.0;
            for &(row, weight) in self.rows {
                let taps = self.columns.taps(column).iter();
                let across: f32 = taps.map(|(at, w)| w * self.x[row * pitch + at * self.channels + c]).sum();
                sum += weight * across;
            }
            self.y[column * self.channels + c] = sum;
        }
    }
}
