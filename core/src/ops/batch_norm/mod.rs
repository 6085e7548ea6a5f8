//! Batch normalization (Ioffe and Szegedy 2015) of rows of channels, x `(..., channels)`:
//!
//! `y = (x - mean) / sqrt(variance + eps) * w + b`, channel by channel.
//!
//! In training mean and variance are those of the batch, the variance divided by the number N of rows; with
//! `h = (x - mean) / sqrt(variance + eps)` the gradients for `dy` are
//!
//! `db = sum of dy`, `dw = sum of dy h`, `dx = w / sqrt(variance + eps) (dy - db / N - h dw / N)`.
//!
//! In evaluation they are given, and `dx = w / sqrt(variance + eps) dy`.
//!
//! A gelu may follow in the same op; its gradient then goes first, from y computed again out of x.
//!
//! Sums are taken over a fixed number of rows in f32, each about their own mean so that a mean much larger
//! than the deviation costs no digits, and combined in f64. Means are kept in f64 and subtracted in two parts.
mod backward;
mod forward;
mod graph;
#[cfg(test)]
pub(crate) mod reference;
mod statistics;

use backward::backward;
use forward::{Normalization, apply};
pub use graph::{batch_norm, normalize};
use statistics::{Statistics, statistics};

#[cfg(test)]
mod tests;
