//! HollowNeRF's saliency grid (Xie et al. 2023, section 3.1): how much of the features a place may show.
//!
//! `T^3` logits G fill the unit cube, x fastest, each at the center of its cell: logit i of an axis lies at
//! `(i + 0.5) / T`. Between centers they are interpolated trilinearly, beyond the outermost held constant, and only
//! then squashed: `p(x) = sigmoid(trilinear(G, x))`. One p scales all features of a sample, `v = p f`.
//!
//! With `d_v` the gradient of v, `d_f = p d_v`, and because `p' = p (1 - p)`, `d_logit = (1 - p) d_v . v`.
//!
//! What pushes cells to close is a function of `S(G) = mean(sigmoid(G))` (the paper's constraint is S < C) or of the
//! sum (its L1 baseline). Either way the gradient of a logit is `slope * p (1 - p)` with one slope for all of them,
//! which `penalize` adds. Positions get no gradient: nothing trainable lies behind them.
//!
//! The paper prints neither where logits lie nor what happens at the border; both are our choice.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;
mod rows;

pub(crate) use cpu::{backward, clamp, penalize};
pub use cpu::{forward, mean};
pub(crate) use rows::{scale, scale_backward};

/// The sigmoid: how much of the features a logit lets through.
pub fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests;
