//! The graph engine: candle tensors with this crate's ops, one owner of variables, gradients in our own buffers.
//!
//! Vision models are graphs of [`Tensor`]s. What candle computes with a correct gradient is used as it is; everything
//! else, and everything that must be fast on a CPU, is an op of [`crate::ops`] with an [`Op`] on top (`graph.rs` in
//! its folder). [`differentiate`] is the backward pass; candle's own works too, slower. Maps of features are `(batch,
//! height, width, channels)` throughout, so that a token is a row and a 1x1 convolution a product; sequences are `(batch,
//! tokens, channels)`.
mod buffer;
#[cfg(test)]
pub(crate) mod check;
mod cost;
mod gradients;
mod init;
mod mode;
mod op;
mod optimizer;
mod tape;
mod variables;
mod views;

pub use buffer::{Reader, add_or_copy, read, values};
pub use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var, bail};
pub use cost::{Cost, add_cost, count_macs};
pub use gradients::{Gradients, weight_gradient};
pub use init::Init;
pub use mode::{Mode, Randomness};
pub use op::{Input, InputGradients, Keeps, Op, apply, gradient_of};
pub use optimizer::{Optimizer, Rule, change, values as values_of};
pub use tape::differentiate;
pub use variables::{Scope, Variable, Variables};
pub use views::{cat, narrow, permute, reshape};
