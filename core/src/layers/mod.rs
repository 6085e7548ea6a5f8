//! Layers: an op with its variables, made in a [`crate::graph::Scope`] under PyTorch's names of them.
mod batch_norm;
mod conv;
mod eugen;
mod int8;
mod layer_norm;
mod linear;

pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, ConvConfig};
pub use eugen::{Eugen, Features};
pub use int8::Int8Linear;
pub use layer_norm::LayerNorm;
pub use linear::Linear;

#[cfg(test)]
mod parity;
