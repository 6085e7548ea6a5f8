//! A small correction of a camera's pose: a turn about its own center and a shift.
//!
//! With the correction `(omega, tau)` in so(3) x R^3, a ray of the camera becomes
//!
//! ```text
//! o' = o + tau        d' = exp([omega]x) d = d + sin(a)/a omega x d + (1 - cos(a))/a^2 omega x (omega x d),  a = |omega|
//! ```
//!
//! Both parts apply in the marching frame, so they mean the same for every camera. Backward, from the gradients of
//! the corrected rays: `d_tau = sum d_o'`, and with the left Jacobian J of so(3)
//! `d_omega = J(omega)^T sum (d' x d_d')`,
//! `J = I + (1 - cos(a))/a^2 [omega]x + (a - sin(a))/a^3 [omega]x^2` (Sola et al. 2018, equation 145).

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::{Correction, cross, turn_gradient};

/// Values of a correction: omega in radians, then tau in lengths of the frame.
pub const VALUES: usize = 6;

#[cfg(test)]
mod tests;
