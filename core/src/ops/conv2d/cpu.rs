//! Forward, and the gradient of the weights.
use rayon::prelude::*;

use super::Window;
use super::weights::{taps_first, taps_last};
use super::windows::Windows;
use crate::ops::gemm::{View, gemm, gemm_here, transpose};
use crate::ops::linear;

/// Extents of a convolution whose window fits.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Height and width of x.
    pub size: [usize; 2],
    /// Height and width of y.
    pub places: [usize; 2],
    /// Channels of x.
    pub inputs: usize,
    /// Channels of y.
    pub outputs: usize,
    /// The kernel.
    pub window: Window,
}

impl Geometry {
    pub(super) fn windows(&self) -> Windows {
        Windows {
            size: self.size,
            channels: self.inputs,
            taps: self.window.kernel,
            stride: self.window.stride,
            origin: self.window.padding.map(|p| -(p as isize)),
        }
    }

    /// Values of one image of x.
    pub(super) fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.inputs
    }

    /// What the places of a number of rows see; rows are counted over all images.
    fn see(&self, x: &[f32], row: usize, to: &mut [f32]) {
        let image = &x[row / self.places[0] * self.image()..][..self.image()];
        self.windows().write(image, row % self.places[0], to);
    }
}

/// Rows of places that are worked on at a time, when each place sees `depth` values.
pub(super) fn band(columns: usize, depth: usize, values: usize) -> usize {
    (values / depth).clamp(64, 1024).div_ceil(columns)
}

/// Values that a thread's matrix holds.
pub(super) const VALUES: usize = 1 << 18;

/// `y = conv(x, w) + b`; y is overwritten.
///
/// # Panics
/// If extents do not fit.
pub fn forward(g: &Geometry, x: &[f32], w: &[f32], b: Option<&[f32]>, y: &mut [f32]) {
    if g.window.pointwise() {
        return linear::forward(x, w, b, g.inputs, y);
    }
    let (depth, columns, outputs) = (g.windows().len(), g.places[1], g.outputs);
    let mut packed = vec![0.0; w.len()];
    transpose(&taps_first(w, g.inputs, g.window.area()), depth, &mut packed);
    let rows = band(columns, depth, VALUES);
    y.par_chunks_mut(rows * columns * outputs).enumerate().for_each_init(Vec::new, |seen, (band, y)| {
        let places = y.len() / outputs;
        seen.resize(rows * columns * depth, 0.0);
        for (row, seen) in seen[..places * depth].chunks_exact_mut(columns * depth).enumerate() {
            g.see(x, band * rows + row, seen);
        }
        if let Some(b) = b {
            y.chunks_exact_mut(outputs).for_each(|y| y.copy_from_slice(b));
        }
        let (a, w) = (View::rows(seen, depth), View::rows(&packed, outputs));
        gemm_here([places, outputs, depth], a, w, y, outputs, b.is_some());
    });
}

/// The gradient of the weights for `dy`, added or overwritten.
///
/// # Panics
/// If extents do not fit.
pub fn backward_weight(g: &Geometry, x: &[f32], dy: &[f32], dw: &mut [f32], accumulate: bool) {
    if g.window.pointwise() {
        return linear::backward_weight(dy, x, g.inputs, dw, accumulate);
    }
    let (depth, columns, outputs) = (g.windows().len(), g.places[1], g.outputs);
    // One matrix for all threads: the product is split over weights, and no two threads add to the same one.
    let rows = band(columns, depth, 4 * VALUES);
    let mut seen = vec![0.0; rows * columns * depth];
    let mut packed = vec![0.0; dw.len()];
    for (band, dy) in dy.chunks(rows * columns * outputs).enumerate() {
        let places = dy.len() / outputs;
        let seen = &mut seen[..places * depth];
        seen.par_chunks_exact_mut(columns * depth)
            .enumerate()
            .for_each(|(row, seen)| g.see(x, band * rows + row, seen));
        let (dy, seen) = (View::rows(dy, outputs).t(), View::rows(seen, depth));
        gemm([outputs, depth, places], dy, seen, &mut packed, depth, band > 0);
    }
    taps_last(&packed, g.inputs, g.window.area(), dw, accumulate);
}
