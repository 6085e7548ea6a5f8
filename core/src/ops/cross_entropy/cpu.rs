//! The loss and its gradient, as many rows at a time as a register has lanes, transposed so that a lane is a row.
use rayon::prelude::*;

use crate::ops::output::{Room, by_chunks, each, written};
use crate::simd::{Isa, Kernel, Simd, math};

/// Rows that a thread takes at a time; sums are made per group and added in order of the groups.
const ROWS: usize = 1 << 12;

/// The loss and the sum of the weights it is divided by. Rows of x are as long as `weights`.
///
/// # Panics
/// If lengths do not fit.
pub fn forward(isa: Isa, x: &[f32], labels: &[u8], weights: &[f32]) -> (f32, f64) {
    let classes = weights.len();
    assert_eq!(x.len(), labels.len() * classes, "cross_entropy: extents");
    let parts: Vec<(f64, f64)> = x
        .par_chunks(ROWS * classes.max(1))
        .zip(labels.par_chunks(ROWS))
        .map(|(x, labels)| isa.run(Rows { x, labels, weights, gradient: None }).0)
        .collect();
    let (loss, total) = parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (if total > 0.0 { (loss / total) as f32 } else { 0.0 }, total)
}

/// The gradient for a loss that counts `scale` times; `total` is what [`forward`] found.
///
/// # Panics
/// If lengths do not fit.
#[must_use]
pub fn backward(isa: Isa, x: &[f32], labels: &[u8], weights: &[f32], total: f64, scale: f32) -> Vec<f32> {
    let classes = weights.len();
    assert_eq!(x.len(), labels.len() * classes, "cross_entropy: extents");
    let scale = if total > 0.0 { (f64::from(scale) / total) as f32 } else { 0.0 };
    written(x.len(), |dx| {
        by_chunks(dx, ROWS * classes.max(1), |group, dx| {
            let (x, labels) = (&x[group * ROWS * classes..][..dx.len()], &labels[group * ROWS..]);
            let labels = &labels[..labels.len().min(ROWS)];
            isa.run(Rows { x, labels, weights, gradient: Some((dx, scale)) }).1
        })
    })
}

struct Rows<'a, 'o> {
    x: &'a [f32],
    labels: &'a [u8],
    weights: &'a [f32],
    /// Where the gradient goes, and its scale.
    gradient: Option<(&'o mut Room, f32)>,
}

impl<'o> Kernel for Rows<'_, 'o> {
    /// Weighted loss and weights, summed; the gradient, empty if none is asked for.
    type Output = ((f64, f64), &'o mut [f32]);

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) -> Self::Output {
        let classes = self.weights.len();
        assert!(
            self.gradient.as_ref().is_none_or(|(dx, _)| dx.len() == self.labels.len() * classes),
            "cross_entropy: extents"
        );
        let (mut loss, mut total) = (0.0, 0.0);
        let mut lanes = vec![0.0; classes * S::LANES];
        for (block, labels) in self.labels.chunks(S::LANES).enumerate() {
            let first = block * S::LANES * classes;
            let x = &self.x[first..first + labels.len() * classes];
            for (lane, x) in x.chunks_exact(classes).enumerate() {
                x.iter().enumerate().for_each(|(k, x)| lanes[k * S::LANES + lane] = *x);
            }
            let (mut max, mut sum) = (s.splat(f32::MIN), s.splat(0.0));
            for lanes in lanes.chunks_exact_mut(S::LANES) {
                // SAFETY: a chunk holds LANES values.
                max = s.max(max, unsafe { s.load(lanes.as_ptr()) });
            }
            for lanes in lanes.chunks_exact_mut(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let e = math::exp(s, s.sub(s.load(lanes.as_ptr()), max));
                    s.store(lanes.as_mut_ptr(), e);
                    sum = s.add(sum, e);
                }
            }
            let (mut maxima, mut sums) = ([0.0; 16], [0.0; 16]);
            // SAFETY: a register is at most 16 values.
            unsafe {
                s.store(maxima.as_mut_ptr(), max);
                s.store(sums.as_mut_ptr(), sum);
            }
            for (lane, y) in labels.iter().enumerate() {
                let y = usize::from(*y);
                let known = y < classes;
                if known {
                    let weight = f64::from(self.weights[y]);
                    let log = f64::from(maxima[lane]) + f64::from(sums[lane]).ln();
                    loss += weight * (log - f64::from(x[lane * classes + y]));
                    total += weight;
                }
                if let Some((dx, scale)) = &mut self.gradient {
                    let dx = &mut dx[first + lane * classes..][..classes];
                    let weight = if known { self.weights[y] * *scale } else { 0.0 };
                    let share = |k: usize| weight * lanes[k * S::LANES + lane] / sums[lane];
                    let dx = each(dx, (0..classes).map(share));
                    if known {
                        dx[y] -= weight;
                    }
                }
            }
        }
        // SAFETY: a row was written for every label, and there are no others.
        let gradient = self.gradient.map_or(Default::default(), |(dx, _)| unsafe { dx.assume_init_mut() });
        ((loss, total), gradient)
    }
}
