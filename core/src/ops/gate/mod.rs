//! HollowNeRF's soft zero-skipping gate (Xie et al. 2023, section 3.2): what has no features has no density.
//!
//! `gate = tanh(alpha n)` with `n = sqrt(v . v + TINY)`, and `sigma = gate * exp(h_0)`: a network without biases
//! gives density `exp(0) = 1` to a sample whose features v are zero, and the gate takes that away. alpha is large
//! (1e4, later 1e5), so the gate is 1 wherever there is anything.
//!
//! The norm's gradient is undefined at zero; with [`TINY`] it is zero there. Backward:
//! `d_v += d_gate (1 - gate^2) alpha v / n`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub(crate) use cpu::{backward, forward};

/// Added to the squared norm: far below the square of any feature that counts, and a normal f32.
pub const TINY: f32 = 1e-30;

#[cfg(test)]
mod tests;
