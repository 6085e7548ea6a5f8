//! Maps of pixels that are weighted sums of another map's, on all threads.
use super::Axis;
use crate::ops::output::{Room, by_chunks, written};
use crate::simd::{Isa, Kernel, Simd};

/// `batch` images `(axes[0].size(), axes[1].size(), channels)` as images `(axes[0].outputs(), axes[1].outputs(),
/// channels)`.
///
/// # Panics
/// If x is shorter.
#[must_use]
pub fn resample(isa: Isa, axes: [&Axis; 2], batch: usize, channels: usize, x: &[f32]) -> Vec<f32> {
    let [rows, columns] = axes;
    let image = rows.size() * columns.size() * channels;
    let pitch = columns.outputs() * channels;
    written(batch * rows.outputs() * pitch, |y| {
        by_chunks(y, pitch.max(1), |row, y| {
            let x = &x[row / rows.outputs() * image..][..image];
            isa.run(Row { rows: rows.taps(row % rows.outputs()), columns, channels, x, y })
        })
    })
}

/// One row of y: as many taps as there are of the row, each a sum over the taps of the column.
struct Row<'a, 'o> {
    rows: &'a [(usize, f32)],
    columns: &'a Axis,
    channels: usize,
    /// The image, as large as the axes say.
    x: &'a [f32],
    y: &'o mut Room,
}

impl<'o> Kernel for Row<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) -> &'o mut [f32] {
        let (size, outputs) = (self.columns.size(), self.columns.outputs());
        let rows = self.rows.iter().map(|(row, _)| row + 1).max().unwrap_or(0);
        assert!(self.x.len() >= rows * size * self.channels && self.y.len() == outputs * self.channels);
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
        // SAFETY: every channel of every column was written.
        unsafe { self.y.assume_init_mut() }
    }
}

impl Row<'_, '_> {
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
            unsafe {
                s.store(self.y.as_mut_ptr().cast::<f32>().add(column * channels + c + n * S::LANES), sum)
            };
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
            self.y[column * self.channels + c].write(sum);
        }
    }
}
