//! Maps `(batch, height, width, channels)` at another size, by PyTorch's conventions, with gradients.
//!
//! *Bilinear*: output i of n lies at `(i + 1/2) in / n - 1/2` of the input, not before 0, or, with corners aligned, at
//! `i (in - 1) / (n - 1)`; it is interpolated between the two pixels around, the last one held. There is no filter
//! against aliasing. *Nearest*: output i is input `floor(i in / n)`, computed in f32 as PyTorch does.
//!
//! Both, and averages over windows ([`crate::ops::pool`]), are weighted sums whose weights are products of one of the
//! row and one of the column (`Axis`); the gradient is the transposed sum.
mod axis;
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub(crate) use axis::Axis;
use cpu::resample;
pub use graph::{bilinear, nearest};
pub(crate) use graph::{positive, weighted};

#[cfg(test)]
mod tests;
