//! Numerical ops, a folder each: what it computes with which shapes, and where that comes from (`mod.rs`), the fast path
//! as functions of slices (`cpu.rs`), an op of graphs where models use it (`graph.rs`).
//!
//! The specification is `reference.rs`: slow, obvious, in f64, its gradients checked by finite differences, and compiled
//! for tests only. Fast paths are checked against it (`check.rs`) to the tolerances of [`parity`].
pub mod activation;
pub mod adam;
pub mod add;
pub mod affine_color;
pub mod attention;
pub(crate) mod batch_norm;
pub mod cast;
#[cfg(test)]
pub(crate) mod check;
pub mod composite;
pub(crate) mod conv2d;
pub mod cross_entropy;
pub(crate) mod depthwise;
pub mod distortion;
pub mod drop_path;
pub mod eugen;
#[cfg(test)]
pub(crate) mod field_reference;
pub mod frequency;
pub(crate) mod gate;
pub mod gelu;
pub(crate) mod gemm;
pub mod hash_grid;
pub mod int8;
pub(crate) mod layer_norm;
pub mod linear;
pub mod loss;
pub mod march;
#[cfg(test)]
pub(crate) mod mlp;
mod output;
pub mod parity;
pub mod pool;
pub mod relu;
pub mod resize;
pub mod rigid;
pub mod saliency;
pub mod sh;
pub mod small_gemm;
pub mod softmax;
