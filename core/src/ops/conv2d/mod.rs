//! Dense convolutions of maps: x `(batch, height, width, inputs)`, weights `(outputs, inputs, kernel rows, kernel
//! columns)` as PyTorch stores them, b `(outputs)`, y `(batch, rows, columns, outputs)`:
//!
//! `y[n, r, c, o] = b[o] + sum over i, j, k of w[o, i, j, k] x[n, r s - p + j, c s - p + k, i]`,
//!
//! with stride s and padding p of each axis; beyond the map x is zero.
//!
//! What the kernel sees at some outputs is written down as a matrix with a row for each (`im2col.rs`), small enough
//! to stay in a cache, and multiplied with the weights. The gradient of x is such a product too, or as many as the
//! stride has phases (`input.rs`); that of the weights is the product of the same matrix with the gradient of y.
mod cpu;
mod graph;
mod im2col;
mod input;
#[cfg(test)]
pub(crate) mod reference;
mod weights;
mod window;

use cpu::ConvGeometry;
pub use graph::conv2d;
pub(crate) use window::Window;

#[cfg(test)]
mod tests;
