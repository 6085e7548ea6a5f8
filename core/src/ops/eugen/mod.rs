//! EUGen layers (Likhosherstov et al., "EUGens", NeurIPS 2025): wide layers as products of few random projections that see
//! the norm of their input.
//!
//! ```text
//! x+    = [x ; 1 ; |x|]                                                         d + 2 values; the norm may be left out
//! f(x)  = Phi(concat over i = 1..k of  prod over j = 1..i of  G_ij x+)           k m values; the products are element-wise
//! g(w)  = Psi(concat over i = 1..k of  prod over j = 1..i of  G_ij w+)           with the same G_ij
//! y     = Theta f(x) + theta_0,   rows of Theta: g(w_1) .. g(w_l), or trained    l values
//! ```
//!
//! The paper's block of order 0 is a constant; with it `Theta` has `m k + 1` columns, the last of them the bias `theta_0`.
//! A layer takes `d m k (k + 1) / 2 + l m k` products a row in place of `d l`. `features` is the nonlinear half, an op; the
//! other half is a [linear](super::linear) map, into which a linear layer behind it [merges](merge).
//!
//! **Layout.** G is one array `[k (k + 1) / 2][d + 2][m]`, projections in the order (1,1), (2,1), (2,2), (3,1) ..; the last
//! two rows of a projection are the constant's and the norm's. m is a multiple of 16, so that rows are whole registers and
//! nothing is packed.
//!
//! **The unbiased construction.** For `act(z) = sum of a_i z^i`, with Phi and Psi the identity and independent rows of mean 0:
//! entries of `G_ij` with deviation `(|a_i| / m)^(1 / (2 i))`, g's block of order i times the sign of `a_i`, and `a_0` alone
//! for order 0. Then `E[g(w) . f(x)] = act(w+ . x+)`, and for normal entries the variance is
//! `sum over i of a_i^2 / m ((|w+|^2 |x+|^2 + 2 t^2)^i - t^(2 i))`, `t = w+ . x+`. Without a polynomial all `|a_i|` are 1.
//!
//! | special case | [`FeatureConfig`] |
//! |---|---|
//! | a low-rank layer | order 1, identity, no norm |
//! | SNNK, random features of a network (Sehanobish et al. 2023) | order 1, an activation, no norm |
//! | magnituder layers | order 1, independent rows, the norm |
//! | a standard layer, in expectation | a polynomial |
mod config;
pub(crate) mod cpu;
mod draw;
mod graph;
mod merge;
#[cfg(test)]
pub(crate) mod reference;

pub use config::{FeatureConfig, Nonlinearity, Projections, RowKind};
pub(crate) use draw::orthonormalize;
pub use draw::{draw, weights};
pub use graph::features;
pub use merge::merge;

#[cfg(test)]
mod tests;
