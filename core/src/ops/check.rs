//! The op harness: how a gradient, a fast path or a port is shown to be right.
//!
//! Every op has an f64 reference. Its gradients are checked with [`finite_difference`]; its fast f32 path
//! against the reference with [`close`] at [`PARITY_L2`] and [`PARITY_MAX`]; two paths that must be the same
//! computation (another thread count, a resumed run) with [`bit_equal`]. Test data comes from [`TestRng`].

mod data;

pub use data::{TestRng, narrow};
use thiserror::Error;

use super::parity::{self, Mismatch};
pub use super::parity::{PARITY_L2, PARITY_MAX, close, widen};

/// Why a check failed, with the worst place and both values.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Failure {
    /// There is nothing to compare, or not as much on one side.
    #[error(transparent)]
    Extents(#[from] Mismatch),
    /// An analytic derivative disagrees with the numerical one.
    #[error("gradient at {index}: analytic {analytic:e}, numeric {numeric:e}, relative error {error:e}")]
    Gradient {
        /// The worst coordinate.
        index: usize,
        /// The derivative under test.
        analytic: f64,
        /// The derivative by differences.
        numeric: f64,
        /// `|analytic - numeric| / max(|analytic|, scale)`.
        error: f64,
    },
    /// Two arrays differ in a bit.
    #[error("bits differ first at {index} ({count} places in all): {left:e} and {right:e}")]
    Bits {
        /// The first index that differs.
        index: usize,
        /// How many differ.
        count: usize,
        /// The left value.
        left: f32,
        /// The right value.
        right: f32,
    },
}

/// How [`finite_difference`] steps and judges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FdOptions {
    /// The step along coordinate i is `eps * max(1, |x_i|)`.
    pub eps: f64,
    /// Largest accepted `|analytic - numeric| / max(|analytic|, scale)`.
    pub tolerance: f64,
    /// Gradients smaller than this are judged absolutely. None: the root mean square of the analytic gradient.
    pub scale: Option<f64>,
    /// At most this many coordinates, a fixed pseudo-random choice. None: all of them.
    pub limit: Option<usize>,
}

impl Default for FdOptions {
    /// eps 1e-4, tolerance 1e-6, scale from the gradient, all coordinates.
    fn default() -> Self {
        Self { eps: 1e-4, tolerance: 1e-6, scale: None, limit: None }
    }
}

/// Checks the gradient `analytic` of `f` at `x` by central differences with one Richardson extrapolation.
///
/// The difference of step h errs by h^2; combining steps h and h/2 as `(4 D(h/2) - D(h)) / 3` leaves h^4, so
/// that a step large enough to stay clear of rounding is also small enough. `f` must be smooth within h of x:
/// keep inputs away from kinks and cell boundaries.
///
/// # Errors
/// [`Failure::Gradient`] with the worst coordinate when one is out of tolerance or not finite,
/// [`Mismatch::Length`] or [`Mismatch::Empty`] when `x` and `analytic` cannot be compared.
pub fn finite_difference(
    mut f: impl FnMut(&[f64]) -> f64,
    x: &[f64],
    analytic: &[f64],
    options: FdOptions,
) -> Result<(), Failure> {
    parity::same_length(x.len(), analytic.len())?;
    let rms = (analytic.iter().map(|g| g * g).sum::<f64>() / analytic.len() as f64).sqrt();
    let scale = options.scale.unwrap_or(rms);
    let mut point = x.to_vec();
    let mut worst: Option<(usize, f64, f64)> = None;
    for index in choose(x.len(), options.limit.unwrap_or(x.len())) {
        let h = options.eps * x[index].abs().max(1.0);
        let mut central = |h: f64| {
            point[index] = x[index] + h;
            let above = f(&point);
            point[index] = x[index] - h;
            let below = f(&point);
            point[index] = x[index];
            // The step really taken, after rounding of x + h and x - h.
            (above - below) / ((x[index] + h) - (x[index] - h))
        };
        let numeric = (4.0 * central(0.5 * h) - central(h)) / 3.0;
        let difference = (analytic[index] - numeric).abs();
        let error = if difference == 0.0 { 0.0 } else { difference / analytic[index].abs().max(scale) };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if worst.is_none_or(|(_, _, largest)| error > largest) {
            worst = Some((index, numeric, error));
        }
    }
    match worst {
        None => Err(Mismatch::Empty.into()),
        Some((_, _, error)) if error <= options.tolerance => Ok(()),
        Some((index, numeric, error)) => {
            Err(Failure::Gradient { index, analytic: analytic[index], numeric, error })
        }
    }
}

/// `count` distinct indices below `n`, always the same ones: the head of a seeded shuffle, so that no layout
/// (features interleaved, rows of a matrix) is sampled in step with its stride.
fn choose(n: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    let mut rng = TestRng::new(n as u64);
    for i in 0..count.min(n) {
        let j = i + rng.below(n - i);
        all.swap(i, j);
    }
    all.truncate(count);
    all
}

/// Checks that two arrays hold the same bits (so 0 and -0 differ, and a NaN equals itself).
///
/// # Errors
/// [`Failure::Bits`] with the first index that differs, [`Mismatch::Length`], or [`Mismatch::Empty`].
pub fn bit_equal(a: &[f32], b: &[f32]) -> Result<(), Failure> {
    parity::same_length(a.len(), b.len())?;
    let differs = |i: &usize| a[*i].to_bits() != b[*i].to_bits();
    match (0..a.len()).find(differs) {
        None => Ok(()),
        Some(index) => {
            let count = (index..a.len()).filter(differs).count();
            Err(Failure::Bits { index, count, left: a[index], right: b[index] })
        }
    }
}

#[cfg(test)]
mod tests;
