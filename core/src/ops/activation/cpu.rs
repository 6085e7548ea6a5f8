//! Registers of values in place, or of a column of rows.

use crate::simd::{Isa, Kernel, Simd, math};

/// exp's argument stays within this of zero.
const LIMIT: f32 = 15.0;

/// Densities of as many rows as `sigma` is long, from the raw values at `raw[row * stride]`.
///
/// # Panics
/// If `sigma` is not whole registers of 16, or a row is missing.
pub fn density(isa: Isa, raw: &[f32], stride: usize, sigma: &mut [f32]) {
    let rows = sigma.len();
    assert!(
        rows.is_multiple_of(16) && (rows == 0 || raw.len() > (rows - 1) * stride),
        "density: {rows} rows"
    );
    isa.run(Density { raw, stride, sigma });
}

struct Density<'a> {
    raw: &'a [f32],
    stride: usize,
    sigma: &'a mut [f32],
}

impl Kernel for Density<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut lanes = [0.0f32; 16];
        for (chunk, sigma) in self.sigma.chunks_exact_mut(S::LANES).enumerate() {
            for (i, lane) in lanes[..S::LANES].iter_mut().enumerate() {
                *lane = self.raw[(chunk * S::LANES + i) * self.stride];
            }
            // SAFETY: `lanes` and `sigma` hold LANES values.
            unsafe {
                let x = s.min(s.load(lanes.as_ptr()), s.splat(LIMIT));
                s.store(sigma.as_mut_ptr(), math::exp(s, x));
            }
        }
    }
}

/// The slope of `gate * density(raw)`, whose value `sigma` is: only far below does it differ from that.
#[inline]
pub fn density_slope(raw: f32, gate: f32, sigma: f32) -> f32 {
    if raw > -LIMIT { sigma } else { gate * (-LIMIT).exp() }
}

/// The density of one raw value.
#[inline]
pub fn raw_density(raw: f32) -> f32 {
    raw.min(LIMIT).exp()
}

/// Applies the sigmoid to every value of whole registers.
///
/// # Panics
/// If these are not whole registers of 16.
pub fn sigmoid(isa: Isa, values: &mut [f32]) {
    assert!(values.len().is_multiple_of(16), "sigmoid: {} values", values.len());
    isa.run(Sigmoid(values));
}

struct Sigmoid<'a>(&'a mut [f32]);

impl Kernel for Sigmoid<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for chunk in self.0.chunks_exact_mut(S::LANES) {
            // SAFETY: the chunk holds LANES values.
            unsafe { s.store(chunk.as_mut_ptr(), math::sigmoid(s, s.load(chunk.as_ptr()))) };
        }
    }
}
