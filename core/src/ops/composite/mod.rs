//! Emission-absorption volume rendering of one ray (Max 1995; NeRF, Mildenhall et al. 2020, equation 3).
//!
//! ```text
//! alpha_i = 1 - exp(-sigma_i dt_i)     T_i = prod_{j<i} (1 - alpha_j)     w_i = T_i alpha_i
//! value_c = sum w_i c_ic     depth = sum w_i t_i     opacity = sum w_i
//! ```
//!
//! C channels (color first); sample i and all behind it are dropped once `T_i < min_transmittance`.
//! The backward pass for `d_value`, `d_depth`, `d_opacity`: with `g_i = d_value . c_i + d_depth t_i + d_opacity`,
//! `d_c_i = w_i d_value` and `d_sigma_i = dt_i (T_{i+1} g_i - sum_{j>i} w_j g_j)`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::{
    Carry, RaySamples, RaySamplesGrad, absorb, backward, backward_values, backward_weights, forward,
    forward_values, gather, kept,
};

/// Depth and opacity follow the channels of a ray's output.
pub const EXTRA: usize = 2;

#[cfg(test)]
mod tests;
