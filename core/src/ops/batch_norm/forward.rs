//! The affine map of each channel, and the activation after it.
use rayon::prelude::*;

use super::statistics::{ROWS, Statistics};
use crate::ops::gelu::{self, Form};
use crate::simd::{Isa, Kernel, Simd};

/// What is done to x.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// Means and variances of the channels.
    pub statistics: &'a Statistics,
    /// Added to variances.
    pub eps: f64,
    /// The factor of each channel.
    pub w: &'a [f32],
    /// The offset of each channel.
    pub b: &'a [f32],
    /// What is applied to the result.
    pub activation: Option<Form>,
}

/// `y` for `x`, overwritten.
///
/// # Panics
/// If extents do not fit.
pub fn apply(isa: Isa, x: &[f32], of: &Normalization<'_>, y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "batch_norm: x and y");
    let (affine, chunk) = (&Affine::new(of), ROWS * of.w.len());
    y.par_chunks_mut(chunk).zip(x.par_chunks(chunk)).for_each(|(y, x)| match of.activation {
        None => isa.run(Apply { x, affine, y }),
        Some(form) => isa.run(Activate { x, affine, form, y }),
    });
}

/// `(x - center) scale + shift`, channel by channel.
pub(super) struct Affine {
    pub(super) center: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Affine {
    pub(super) fn new(of: &Normalization<'_>) -> Self {
        let channels = of.w.len();
        let (mut center, mut scale, mut shift) =
            (vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]);
        for c in 0..channels {
            let (high, low) = split(of.statistics.mean[c]);
            let s = f64::from(of.w[c]) / (of.statistics.variance[c] + of.eps).sqrt();
            (center[c], scale[c], shift[c]) = (high, s as f32, (f64::from(of.b[c]) - low * s) as f32);
        }
        Self { center, scale, shift }
    }

    /// Values that kernels hand to each other at a time: whole rows that stay in a core's first cache.
    pub(super) fn block(&self) -> usize {
        let channels = self.center.len();
        (4096 / channels).max(1) * channels
    }
}

/// What is subtracted from x in f32, and what of the mean that leaves.
pub(super) fn split(mean: f64) -> (f32, f64) {
    let high = mean as f32;
    (high, mean - f64::from(high))
}

pub(super) struct Apply<'a> {
    pub(super) x: &'a [f32],
    pub(super) affine: &'a Affine,
    pub(super) y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Affine { center, scale, shift } = self.affine;
        let channels = center.len();
        for (y, x) in self.y.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            let parameters = center.iter().zip(scale).zip(shift);
            for ((y, x), ((center, scale), shift)) in y.iter_mut().zip(x).zip(parameters) {
                *y = (x - center) * scale + shift;
            }
        }
    }
}

struct Activate<'a> {
    x: &'a [f32],
    affine: &'a Affine,
    form: Form,
    y: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { affine, form, .. } = self;
        let block = affine.block();
        let mut z = vec![0.0; block.min(self.x.len())];
        for (x, y) in self.x.chunks(block).zip(self.y.chunks_mut(block)) {
            let z = &mut z[..x.len()];
            Apply { x, affine, y: z }.run(s);
            gelu::Forward { form, x: z, y }.run(s);
        }
    }
}
