//! Cross-entropy of labels under the softmax of logits, a label per row, with class weights and rows that do not count.
//!
//! ```text
//! loss = sum_i w(y_i) (log sum_k exp x_ik - x_iy) / sum_i w(y_i)
//! ```
//!
//! as PyTorch's `cross_entropy(x, y, weight, ignore_index)` means it; `dx_ik = w(y_i) (p_ik - [k = y_i]) / sum w`. A label
//! that is no class is ignored. If all are, the loss is 0 (PyTorch's is NaN).
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub use graph::cross_entropy;

#[cfg(test)]
mod tests;
