//! Multiresolution hash encoding (Müller et al. 2022, Instant-NGP), with torch-ngp's indexing.
//!
//! Level l has `scale_l = base * b^l - 1` with growth `b = (finest / base)^(1 / (L - 1))` and a grid of
//! `resolution_l + 1` points a side, `resolution_l = ceil(base * b^l)`. A position x in [0, 1]^3 lies at
//! `pos = x * scale_l + 0.5`; its features are the trilinear mean of the eight corners of `floor(pos)`.
//! A level whose grid fits in `2^log2_entries` is stored densely (x fastest), the others by the spatial hash
//! `(x ^ y * 2654435761 ^ z * 805459861) mod T`. Tables are `[entry][F]`, outputs `[point][F]` per level.
//!
//! Positions get a gradient only where it is asked for: the trilinear mean is piecewise linear along each axis, and
//! poses may lie behind it.

mod block;
mod config;
mod cpu;
mod positions;
#[cfg(test)]
pub(crate) mod reference;

pub use config::{GridLevel, HashGridConfig};
pub use cpu::{BLOCK, Points, backward_level, forward_level};
pub(crate) use positions::backward_positions;

/// The hash's prime of the y axis (x has 1).
pub const HASH_Y: u32 = 2_654_435_761;
/// The hash's prime of the z axis.
pub const HASH_Z: u32 = 805_459_861;

#[cfg(test)]
mod tests;
