//! A photograph's own colors: an affine map of what a ray shows (Urban Radiance Fields, Rematas et al. 2022,
//! section 3.2.1).
//!
//! Exposure and white balance differ between the photographs of a walk-around. Every photograph gets a code of
//! [`VALUES`] numbers, the deviation of a 3 x 4 matrix from the identity; of a composited ray with premultiplied
//! color c and opacity a the photograph shows
//!
//! ```text
//! c' = c + M c + b a          M = code[0..9], rows first      b = code[9..12]
//! ```
//!
//! The light of the background is not touched. Backward: `d_c = d_c' + M^T d_c'`, `d_a = b . d_c'`,
//! `d_M = d_c' c^T`, `d_b = d_c' a`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub(crate) use cpu::{backward, forward};

/// Values of a photograph's code.
pub const VALUES: usize = 12;

#[cfg(test)]
mod tests;
