//! The affine map of each channel, and the activation after it.
use super::statistics::{ROWS, Statistics};
use crate::ops::gelu::{self, Form};
use crate::ops::output::{Room, by_chunks, by_rows, each, written};
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

/// `y` for `x`.
///
/// # Panics
/// If x does not hold whole rows.
#[must_use]
pub fn apply(isa: Isa, x: &[f32], of: &Normalization<'_>) -> Vec<f32> {
    let (affine, chunk) = (&Affine::new(of), ROWS * of.w.len());
    written(x.len(), |y| {
        by_chunks(y, chunk, |at, y| {
            let x = &x[at * chunk..][..y.len()];
            match of.activation {
                None => isa.run(Apply { x, affine, y }),
                Some(form) => isa.run(Activate { x, affine, form, y }),
            }
        })
    })
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

/// What is subtracted from x in f32, and what is then left of the mean.
pub(super) fn split(mean: f64) -> (f32, f64) {
    let high = mean as f32;
    (high, mean - f64::from(high))
}

pub(super) struct Apply<'a, 'o> {
    pub(super) x: &'a [f32],
    pub(super) affine: &'a Affine,
    pub(super) y: &'o mut Room,
}

impl<'o> Kernel for Apply<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> &'o mut [f32] {
        let Affine { center, scale, shift } = self.affine;
        let channels = center.len();
        by_rows!(self.y, channels, |row, y| {
            let parameters = center.iter().zip(scale).zip(shift);
            let values = self.x[row * channels..].iter().zip(parameters);
            each(y, values.map(|(x, ((center, scale), shift))| (x - center) * scale + shift))
        })
    }
}

struct Activate<'a, 'o> {
    x: &'a [f32],
    affine: &'a Affine,
    form: Form,
    y: &'o mut Room,
}

impl<'o> Kernel for Activate<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> &'o mut [f32] {
        let Self { x, affine, form, y } = self;
        let block = affine.block();
        let mut z = Box::new_uninit_slice(block.min(x.len()));
        by_rows!(y, block, |at, y| {
            let z = Apply { x: &x[at * block..][..y.len()], affine, y: &mut z[..y.len()] }.run(s);
            gelu::Forward { form, x: z, y }.run(s)
        })
    }
}
