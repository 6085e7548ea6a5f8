//! Softmax over the last dimension: `y_i = exp(x_i - max x) / sum_j exp(x_j - max x)`; `dx = y (dy - sum_j dy_j y_j)`.
//!
//! Attention has its own, inside its op; this is for everything else.
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub use graph::softmax;

#[cfg(test)]
mod tests;
