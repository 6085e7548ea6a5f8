//! The gradient of x.
//!
//! A pixel of x is seen by outputs through those taps whose distance to it is a multiple of the stride. Which taps these
//! are depends on the pixel's place modulo the stride, its phase; over the pixels of one phase the gradient is a
//! convolution of dy with stride 1, by the phase's taps in reverse order.
use rayon::prelude::*;

use super::ConvGeometry;
use super::cpu::{VALUES, band};
use super::im2col::Im2col;
use super::weights::{choose_taps, taps_first};
use crate::ops::gemm::{MatRef, gemm_here};
use crate::ops::linear;

/// `dx`, as many values as x has, for `dy`.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn backward_input(g: &ConvGeometry, dy: &[f32], w: &[f32], len: usize) -> Vec<f32> {
    if g.window.pointwise() {
        return linear::backward_input(dy, w, g.inputs);
    }
    let mut dx = vec![0.0; len];
    if g.window.kernel == g.window.stride && g.window.padding == [0, 0] {
        disjoint(g, dy, w, &mut dx);
    } else {
        phases(g, dy, w, &mut dx);
    }
    dx
}

/// Rows of one image of dx in bands of `rows`: calls `f` with a thread's scratch, the image's number, the first row and
/// the values.
fn bands(
    g: &ConvGeometry,
    rows: usize,
    dx: &mut [f32],
    f: impl Fn(&mut [Vec<f32>; 2], usize, usize, &mut [f32]) + Sync,
) {
    let f = &f;
    dx.par_chunks_exact_mut(g.image())
        .enumerate()
        .flat_map(|(image, dx)| {
            let dx = dx.par_chunks_mut(rows * g.size[1] * g.inputs);
            dx.enumerate().map(move |(band, dx)| (image, band * rows, dx))
        })
        .for_each_init(Default::default, |scratch, (image, first, dx)| f(scratch, image, first, dx));
}

/// Where no two places overlap, a place's gradient is a row of a product.
fn disjoint(g: &ConvGeometry, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    let (depth, [height, columns], outputs) = (g.im2col().len(), g.places, g.outputs);
    let packed = taps_first(w, g.inputs, g.window.area());
    let rows = band(columns, depth, VALUES);
    let stride = g.window.stride[0];
    bands(g, rows * stride, dx, |[seen, _], image, first, dx| {
        dx.fill(0.0);
        let first = first / stride;
        let places = rows.min(height.saturating_sub(first)) * columns;
        seen.resize(rows * columns * depth, 0.0);
        let dy = &dy[(image * height + first.min(height)) * columns * outputs..];
        let (dy, w) = (MatRef::rows(dy, outputs), MatRef::rows(&packed, depth));
        gemm_here([places, depth, outputs], dy, w, seen, depth, false);
        for (row, seen) in seen[..places * depth].chunks_exact(columns * depth).enumerate() {
            g.im2col().fold(seen, row, dx);
        }
    });
}

/// One phase of one axis.
struct Phase {
    /// Taps of the kernel, in the order in which they meet dy.
    taps: Vec<usize>,
    /// The first output seen by the phase's first pixel.
    origin: isize,
}

fn phase(kernel: usize, stride: usize, padding: usize, phase: usize) -> Phase {
    let mut taps: Vec<usize> = ((phase + padding) % stride..kernel).step_by(stride).collect();
    taps.reverse();
    let first = taps.first().map_or(0, |tap| (phase + padding) as isize - *tap as isize);
    Phase { taps, origin: first.div_euclid(stride as isize) }
}

fn phases(g: &ConvGeometry, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    let (window, inputs, width) = (g.window, g.inputs, g.size[1]);
    let [tall, wide] = window.stride;
    let of_axis = |axis: usize| -> Vec<Phase> {
        let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
        (0..stride).map(|p| phase(kernel, stride, padding, p)).collect()
    };
    let axes = [of_axis(0), of_axis(1)];
    let packed: Vec<Vec<f32>> = (0..tall * wide)
        .map(|at| {
            let columns = &axes[1][at % wide].taps;
            let row = axes[0][at / wide].taps.iter();
            let taps: Vec<usize> =
                row.flat_map(|j| columns.iter().map(move |k| j * window.kernel[1] + k)).collect();
            choose_taps(w, g.outputs, inputs, window.area(), &taps)
        })
        .collect();
    let depth = window.area().div_ceil(tall * wide) * g.outputs;
    let rows = band(width.div_ceil(wide), depth, VALUES) * tall;
    let image_dy = g.places[0] * g.places[1] * g.outputs;
    bands(g, rows, dx, |[seen, sums], image, first, dx| {
        dx.fill(0.0);
        let dy = &dy[image * image_dy..][..image_dy];
        let height = dx.len() / (width * inputs);
        for (at, w) in packed.iter().enumerate() {
            let [down, across] = [at / wide, at % wide];
            let [vertical, horizontal] = [&axes[0][down], &axes[1][across]];
            let im2col = Im2col {
                size: g.places,
                channels: g.outputs,
                taps: [vertical.taps.len(), horizontal.taps.len()],
                stride: [1, 1],
                origin: [vertical.origin, horizontal.origin],
            };
            let depth = im2col.len();
            let [lines, columns] =
                [height.saturating_sub(down).div_ceil(tall), width.saturating_sub(across).div_ceil(wide)];
            let places = lines * columns;
            if depth == 0 || places == 0 {
                continue;
            }
            seen.resize(seen.len().max(places * depth), 0.0);
            let seen = &mut seen[..places * depth];
            for (line, seen) in seen.chunks_exact_mut(columns * depth).enumerate() {
                im2col.unfold(dy, first / tall + line, seen);
            }
            let product = [places, inputs, depth];
            let (seen, w) = (MatRef::rows(seen, depth), MatRef::rows(w, inputs));
            if tall * wide == 1 {
                gemm_here(product, seen, w, dx, inputs, false);
                continue;
            }
            sums.resize(sums.len().max(places * inputs), 0.0);
            gemm_here(product, seen, w, sums, inputs, false);
            for (place, sums) in sums[..places * inputs].chunks_exact(inputs).enumerate() {
                let (y, x) = (place / columns * tall + down, place % columns * wide + across);
                dx[(y * width + x) * inputs..][..inputs].copy_from_slice(sums);
            }
        }
    });
}
