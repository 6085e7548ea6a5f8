//! Pooling of maps `(batch, height, width, channels)`, by PyTorch's conventions, with gradients.
//!
//! *Largest value of a window*: what lies beyond the map does not count; of equal values the first, row by row, gets
//! the gradient; a NaN is larger than anything. *Average of a window*: zeros beyond the map count or do not.
//! *Adaptive average*: bin i of n covers the values from `floor(i size / n)` to `ceil((i + 1) size / n)`; bins overlap
//! where n does not divide the size.
mod average;
mod graph;
mod max;
#[cfg(test)]
pub(crate) mod reference;

pub use average::{adaptive_avg_pool2d, avg_pool2d};
pub use graph::max_pool2d;

#[cfg(test)]
mod tests;
