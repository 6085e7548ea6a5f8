//! Layers: an op with its variables, made in a [`crate::graph::Scope`] under PyTorch's names of them.
mod linear;

pub use linear::Linear;
