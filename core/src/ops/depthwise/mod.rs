//! Depthwise convolutions of maps: each channel with a kernel of its own. x is `(batch, height, width, channels)`, the
//! weights are `(channels, 1, kernel rows, kernel columns)` as PyTorch stores them, b is `(channels)`:
//!
//! `y[n, r, c, i] = b[i] + sum over j, k of w[i, j, k] x[n, r s - p + j, c s - p + k, i]`,
//!
//! with stride s and padding p of each axis; beyond the map x is zero.
//!
//! A pixel of y is a sum of pixels of x, each times the weights of a tap, channel by channel; a pixel of dx is such a
//! sum of pixels of dy. Both run the same kernel (`sum.rs`) by a [`TapPlan`] that lists the taps of every row and column.
mod cpu;
mod gradient;
mod graph;
mod plan;
#[cfg(test)]
pub(crate) mod reference;
mod sum;

pub(crate) use cpu::ChannelGeometry;
pub use graph::depthwise;
use plan::TapPlan;

#[cfg(test)]
mod tests;
