//! Gaussian error linear units (Hendrycks & Gimpel 2016), in the three forms that published models use.
//!
//! | form | formula |
//! |---|---|
//! | exact | `x Phi(x) = x (1 + erf(x / sqrt 2)) / 2` |
//! | tanh | `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2` |
//! | quick (CLIP) | `x sigmoid(1.702 x)` |
//!
//! The tanh form is `x sigmoid(2 u)`, so that both approximations share their code: with `s = sigmoid(v(x))` the
//! derivative is `s + x s (1 - s) v'(x)`. Of the exact form it is `Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)`.
mod cpu;
mod graph;
#[cfg(test)]
pub(crate) mod reference;

pub(crate) use cpu::{Backward, Forward};
pub(crate) use cpu::{backward_in_place, forward};
pub use graph::{gelu, gelu_tanh, quick_gelu};

/// Which formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By the error function.
    Exact,
    /// By tanh.
    Tanh,
    /// By one sigmoid.
    Quick,
}

#[cfg(test)]
mod tests;
