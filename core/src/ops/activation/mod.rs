//! Activations of a field's outputs: densities and colors from the networks' raw values.
//!
//! **Density**: `exp(min(x, 15))`, whose gradient uses `exp(clamp(x, -15, 15))`, so that far-off values can come back
//! (torch-ngp's truncated exponential). **Color**: `1 / (1 + exp(-x))`.

mod cpu;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::{density, density_slope, raw_density, sigmoid};

#[cfg(test)]
mod tests;
