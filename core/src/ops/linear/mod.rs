//! Affine maps of rows: `y = x W^T + b` with x `(rows, inputs)`, W `(outputs, inputs)` as PyTorch stores it, b `(outputs)`.
//!
//! Gradients, for `dy`: `dx = dy W`, `dW = dy^T x`, `db = sum of dy's rows`.
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub(crate) use cpu::{backward_bias, backward_input, backward_weight, forward};
pub use graph::{linear, linear_of_gelu};

#[cfg(test)]
mod tests;
