//! Forward pass and gradients of a batch of maps, row by row on all threads.
use rayon::prelude::*;

use super::{TapPlan, gradient, sum};
use crate::ops::conv2d::Window;
use crate::ops::output::{by_chunks, written};
use crate::simd::Isa;

/// Extents of an op that slides a window over every channel of a map by itself, where the window fits.
#[derive(Clone, Copy, Debug)]
pub struct ChannelGeometry {
    /// Height and width of x.
    pub size: [usize; 2],
    /// Height and width of y.
    pub places: [usize; 2],
    /// Channels of both.
    pub channels: usize,
    /// The kernel.
    pub window: Window,
}

/// Pixels whose gradients of the weights a thread sums before they are added to those of others.
const PART: usize = 1024;

/// `(channels, taps)` as `(taps, channels)`.
fn taps_first(w: &[f32], channels: usize) -> Vec<f32> {
    let taps = w.len() / channels;
    (0..w.len()).map(|at| w[at % channels * taps + at / channels]).collect()
}

/// `conv(x, w) + b` for a batch of maps.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn forward(
    isa: Isa,
    g: &ChannelGeometry,
    batch: usize,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
) -> Vec<f32> {
    rows(isa, &TapPlan::outputs(&g.window, g.size, g.places), [batch, g.channels], x, w, b)
}

/// `dx` for `dy`, of a batch of maps.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn backward_input(isa: Isa, g: &ChannelGeometry, batch: usize, dy: &[f32], w: &[f32]) -> Vec<f32> {
    rows(isa, &TapPlan::inputs(&g.window, g.size, g.places), [batch, g.channels], dy, w, None)
}

/// The sums of all maps.
fn rows(
    isa: Isa,
    plan: &TapPlan,
    [batch, channels]: [usize; 2],
    source: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
) -> Vec<f32> {
    let (weights, image) = (taps_first(w, channels), plan.source[0] * plan.source[1] * channels);
    let (rows, pitch) = (plan.rows.len(), plan.width * channels);
    assert_eq!(source.len(), batch * image, "depthwise: extents");
    written(batch * rows * pitch, |to| {
        by_chunks(to, pitch.max(1), |row, to| {
            let source = &source[row / rows * image..][..image];
            sum::sum(isa, plan, row % rows, source, &weights, b, to)
        })
    })
}

/// The gradient of the weights for `dy`, added or overwritten: parts of a fixed number of rows, summed in order.
///
/// # Panics
/// If shapes do not fit.
pub fn backward_weight(
    isa: Isa,
    g: &ChannelGeometry,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    accumulate: bool,
) {
    let plan = TapPlan::outputs(&g.window, g.size, g.places);
    let (pitch, image) = (g.places[1] * g.channels, g.size[0] * g.size[1] * g.channels);
    let rows = PART.div_ceil(g.places[1]);
    let parts: Vec<Vec<f32>> = dy
        .par_chunks(rows * pitch)
        .enumerate()
        .map(|(part, dy)| {
            let mut sums = vec![0.0; dw.len()];
            for (at, dy) in dy.chunks_exact(pitch).enumerate() {
                let row = part * rows + at;
                let x = &x[row / g.places[0] * image..][..image];
                gradient::add(isa, &plan, row % g.places[0], x, dy, &mut sums);
            }
            sums
        })
        .collect();
    let taps = g.window.area();
    for (at, dw) in dw.iter_mut().enumerate() {
        let from = at % taps * g.channels + at / taps;
        let sum: f32 = parts.iter().map(|p| p[from]).sum();
        *dw = if accumulate { *dw + sum } else { sum };
    }
}
