//! Adam (Kingma & Ba 2015) with decoupled weight decay (AdamW), over whole values or over touched ones only.
//!
//! ```text
//! m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2
//! w <- w - lr * decay * w - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
//! ```
//!
//! The sparse rule: a value whose gradient is exactly zero keeps its weight and moments (no decay either).
//! A hash table's entry that no sample touched has such a gradient, and skipping it saves most of the traffic.
//! The bias correction counts steps of the optimiser, not touches.

mod cpu;
mod packed;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::update;
pub(crate) use packed::update_packed;

use crate::simd::Simd;

/// What one update needs to know, for one group of parameters at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate at this step.
    pub rate: f32,
    /// Decay of the first and second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay per unit of learning rate.
    pub decay: f32,
    /// Leave values with a zero gradient alone.
    pub sparse: bool,
}

/// [`Adam`] with the bias corrections of step `t` (the first step is 1) folded in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded {
    pub rate: f32,
    pub eps: f32,
    pub keep: f32,
}

impl Adam {
    pub(crate) fn fold(&self, t: u64) -> Folded {
        let t = t.min(1 << 30) as i32;
        let c1 = 1.0 - f64::from(self.betas[0]).powi(t);
        let c2 = (1.0 - f64::from(self.betas[1]).powi(t)).sqrt();
        Folded {
            rate: (f64::from(self.rate) * c2 / c1) as f32,
            eps: (f64::from(self.eps) * c2) as f32,
            keep: 1.0 - self.rate * self.decay,
        }
    }
}

/// A register's worth of the rule.
struct Lanes<S: Simd> {
    /// The decay of each moment, and one minus it.
    first: [S::F; 2],
    second: [S::F; 2],
    minus_rate: S::F,
    eps: S::F,
    keep: S::F,
}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    fn new(s: S, adam: &Adam, folded: &Folded) -> Self {
        let [b1, b2] = adam.betas;
        Self {
            first: [s.splat(b1), s.splat(1.0 - b1)],
            second: [s.splat(b2), s.splat(1.0 - b2)],
            minus_rate: s.splat(-folded.rate),
            eps: s.splat(folded.eps),
            keep: s.splat(folded.keep),
        }
    }

    /// Weight, first and second moment after a step along `g`.
    #[inline(always)]
    fn step(&self, s: S, g: S::F, [w, m, v]: [S::F; 3]) -> [S::F; 3] {
        let m = s.fma(self.first[0], m, s.mul(self.first[1], g));
        let v = s.fma(self.second[0], v, s.mul(s.mul(self.second[1], g), g));
        let step = s.div(m, s.add(s.sqrt(v), self.eps));
        [s.fma(self.minus_rate, step, s.mul(self.keep, w)), m, v]
    }
}

#[cfg(test)]
mod tests;
