//! Positional encoding by frequencies (NeRF, Mildenhall et al. 2020, equation 4), the coordinates in front, as the
//! authors' code has them.
//!
//! A position x of the unit cube becomes `p = 2 x - 1`, and with L octaves
//!
//! ```text
//! p_x p_y p_z | sin(2^k pi p_x) sin(2^k pi p_y) sin(2^k pi p_z) cos(2^k pi p_x) cos(..) cos(..)   for k = 0 .. L - 1
//! ```
//!
//! [`outputs`] values a point, `[point][stride]`. With no octaves it is the coordinates alone. Nothing is trained; the
//! gradient is that of the positions, `d_x = 2 d_p + sum_k 2^(k+1) pi (cos_k d_sin_k - sin_k d_cos_k)`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::{backward_positions, forward};

/// Octaves at most: beyond, a half turn is less than the distance between two f32 coordinates near 1.
pub const MOST_OCTAVES: usize = 20;

/// Values of a point with so many octaves.
pub const fn outputs(octaves: usize) -> usize {
    3 + 6 * octaves
}

#[cfg(test)]
mod tests;
