//! Layer normalization (Ba, Kiros & Hinton 2016) of rows: `y = w (x - mean) / sqrt(var + eps) + b`, over the last dimension.
//!
//! The variance is the biased one. With `n = (x - mean) / sqrt(var + eps)` and `g = w dy`:
//! `dx = (g - mean(g) - n mean(g n)) / sqrt(var + eps)`, `dw = sum dy n`, `db = sum dy` over rows. Mean and variance are
//! computed again in the backward pass, which reads x anyway, so that nothing is kept.
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub use graph::layer_norm;

#[cfg(test)]
mod tests;
