//! Layers: an op with its variables, made in a [`crate::graph::Scope`] under PyTorch's names of them.
mod conv;
mod layer_norm;
mod linear;

pub use conv::{Conv2d, ConvConfig};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
