//! The forward pass and the gradient of the weights, band by band of rows.
use rayon::prelude::*;

use super::Window;
use super::im2col::Im2col;
use super::weights::{taps_first, taps_last};
use crate::ops::gemm::{MatRef, gemm, gemm_here, transpose, write_here};
use crate::ops::linear;
use crate::ops::output::{by_chunks_init, by_rows, written};

/// Extents of a convolution whose window fits.
#[derive(Clone, Copy, Debug)]
pub struct ConvGeometry {
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

impl ConvGeometry {
    pub(super) fn im2col(&self) -> Im2col {
        Im2col {
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
        self.im2col().unfold(image, row % self.places[0], to);
    }
}

/// Rows of places that are worked on at a time, when each place sees `depth` values.
pub(super) fn band(columns: usize, depth: usize, values: usize) -> usize {
    (values / depth).clamp(64, 1024).div_ceil(columns)
}

/// Values that a thread's matrix holds.
pub(super) const VALUES: usize = 1 << 18;

/// `y = conv(x, w) + b`.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn forward(g: &ConvGeometry, x: &[f32], w: &[f32], b: Option<&[f32]>) -> Vec<f32> {
    if g.window.pointwise() {
        return linear::forward(x, w, b, g.inputs);
    }
    let (depth, columns, outputs) = (g.im2col().len(), g.places[1], g.outputs);
    let mut packed = vec![0.0; w.len()];
    transpose(&taps_first(w, g.inputs, g.window.area()), depth, &mut packed);
    let rows = band(columns, depth, VALUES);
    let len = x.len() / g.image() * g.places[0] * g.places[1] * outputs;
    written(len, |y| {
        by_chunks_init(y, rows * columns * outputs, Vec::new, |seen, band, y| {
            let places = y.len() / outputs;
            seen.resize(rows * columns * depth, 0.0);
            for (row, seen) in seen[..places * depth].chunks_exact_mut(columns * depth).enumerate() {
                g.see(x, band * rows + row, seen);
            }
            let product = [places, outputs, depth];
            let (a, w) = (MatRef::rows(seen, depth), MatRef::rows(&packed, outputs));
            let Some(b) = b else { return write_here(product, a, w, y) };
            let y = by_rows!(y, outputs, |_, y| y.write_copy_of_slice(b));
            gemm_here(product, a, w, y, outputs, true);
            y
        })
    })
}

/// Gradients of at most this many weights are summed by each thread for itself.
const OWN: usize = 1 << 17;

/// Parts that such gradients are summed in, a fixed number of bands each.
const PARTS: usize = 16;

/// The gradient of the weights for `dy`, added or overwritten.
///
/// # Panics
/// If shapes do not fit.
pub fn backward_weight(g: &ConvGeometry, x: &[f32], dy: &[f32], dw: &mut [f32], accumulate: bool) {
    if g.window.pointwise() {
        return linear::backward_weight(dy, x, g.inputs, dw, accumulate);
    }
    // By taps, inputs and outputs.
    let packed = if dw.len() <= OWN { in_parts(g, x, dy) } else { together(g, x, dy) };
    let mut by_outputs = vec![0.0; dw.len()];
    transpose(&packed, g.outputs, &mut by_outputs);
    taps_last(&by_outputs, g.inputs, g.window.area(), dw, accumulate);
}

/// Each thread sees and sums for itself; parts are added in order.
fn in_parts(g: &ConvGeometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (depth, columns, outputs) = (g.im2col().len(), g.places[1], g.outputs);
    let rows = band(columns, depth, VALUES);
    let one = rows * columns * outputs;
    let bands = dy.len().div_ceil(one).div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = dy
        .par_chunks(bands * one)
        .enumerate()
        .map_init(Vec::new, |seen, (part, dy)| {
            let mut sums = vec![0.0; depth * outputs];
            for (band, dy) in dy.chunks(one).enumerate() {
                let places = dy.len() / outputs;
                seen.resize(rows * columns * depth, 0.0);
                let seen = &mut seen[..places * depth];
                for (row, seen) in seen.chunks_exact_mut(columns * depth).enumerate() {
                    g.see(x, (part * bands + band) * rows + row, seen);
                }
                let (seen, dy) = (MatRef::rows(seen, depth).t(), MatRef::rows(dy, outputs));
                gemm_here([depth, outputs, places], seen, dy, &mut sums, outputs, band > 0);
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; depth * outputs];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// All threads work on one product, split over weights: no two of them add to the same one.
fn together(g: &ConvGeometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (depth, columns, outputs) = (g.im2col().len(), g.places[1], g.outputs);
    let rows = band(columns, depth, 4 * VALUES);
    let mut seen = vec![0.0; rows * columns * depth];
    let mut sums = vec![0.0; depth * outputs];
    for (band, dy) in dy.chunks(rows * columns * outputs).enumerate() {
        let places = dy.len() / outputs;
        let seen = &mut seen[..places * depth];
        seen.par_chunks_exact_mut(columns * depth)
            .enumerate()
            .for_each(|(row, seen)| g.see(x, band * rows + row, seen));
        let (seen, dy) = (MatRef::rows(seen, depth).t(), MatRef::rows(dy, outputs));
        gemm([depth, outputs, places], seen, dy, &mut sums, outputs, band > 0);
    }
    sums
}
