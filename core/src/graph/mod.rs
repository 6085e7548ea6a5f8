//! The graph engine: candle tensors with this crate's ops, one owner of variables, gradients in our own buffers.
//!
//! ```
//! use nerve_core::graph::{Gradients, Matcher, Optimizer, ParamGroup, Tensor, Variables, differentiate};
//! use nerve_core::layers::Linear;
//!
//! # fn main() -> nerve_core::graph::Result<()> {
//! // One step of least squares: y = w x + b against 3 x.
//! let variables = Variables::random(0);
//! let layer = Linear::new(&variables.tracked().at("layer"), 1, 1)?;
//! let all = ParamGroup { name: "all".into(), matcher: Matcher::All, lr: 0.1, decay: 0.0, frozen: false };
//! let mut optimizer = Optimizer::new(&variables, None, &[all])?;
//! let x = Tensor::from_vec(vec![1f32, 2.0, 3.0], (3, 1), variables.device())?;
//! let mut gradients = Gradients::default();
//! let mut losses = Vec::new();
//! for _ in 0..20 {
//!     gradients.clear();
//!     let loss = || (layer.forward(&x)? - (&x * 3.0)?)?.sqr()?.mean_all();
//!     losses.push(differentiate(&mut gradients, loss)?.to_scalar::<f32>()?);
//!     optimizer.step(&mut gradients, 1.0, 1.0)?;
//! }
//! assert!(losses[19] < 0.5 * losses[0]);
//! # Ok(())
//! # }
//! ```
//!
//! Vision models are graphs of [`Tensor`]s. What candle computes with a correct gradient is used as it is; everything
//! else, and everything that must be fast on a CPU, is an op of [`crate::ops`] with an `Op` of the graph on top (`graph.rs`
//! in its folder). [`differentiate`] is the backward pass; candle's own works too, slower. Maps of features are `(batch,
//! height, width, channels)` throughout, so that a token is a row and a 1x1 convolution a product; sequences are `(batch,
//! tokens, channels)`.
mod buffer;
#[cfg(test)]
pub(crate) mod check;
mod cost;
mod device;
mod gradients;
mod groups;
mod init;
mod mode;
mod op;
mod optimizer;
mod scope;
mod tape;
mod variables;
mod views;
mod weight_gradient;

pub use buffer::{Reader, read, to_vec, update_in_place};
pub(crate) use buffer::{add_or_copy, values};
pub use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var, bail};
pub(crate) use cost::add_cost;
pub use cost::{Cost, count_macs};
pub use device::{device_kind, graph_device};
pub use gradients::Gradients;
pub use groups::{GroupSummary, Matcher, ParamGroup};
pub use init::Init;
pub use mode::{Mode, Randomness};
pub(crate) use op::{Input, InputGradients, Keeps, Op, apply, apply_with_bias, gradient_of};
pub use optimizer::Optimizer;
pub use scope::{Scope, Substitutes};
pub use tape::differentiate;
pub use variables::{Variable, VariableKind, Variables};
pub use views::{cat, narrow, permute, reshape};
pub(crate) use weight_gradient::weight_gradient;
