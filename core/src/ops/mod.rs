//! Numerical ops: one folder each, with an f64 reference beside the fast path.
//!
//! The reference (`<op>/reference.rs`) is the specification: slow, obvious, in f64, its gradients checked
//! by finite differences. Fast paths are checked against it with [`check`].
pub mod activation;
pub mod adam;
pub mod add;
pub mod affine_color;
pub mod attention;
pub mod batch_norm;
pub mod cast;
pub mod check;
pub mod composite;
pub mod conv2d;
pub mod cross_entropy;
pub mod depthwise;
pub mod distortion;
pub mod drop_path;
pub mod field_reference;
pub mod frequency;
pub mod gate;
pub mod gelu;
pub mod gemm;
pub mod hash_grid;
pub mod layer_norm;
pub mod linear;
pub mod loss;
pub mod march;
pub mod mlp;
mod output;
pub mod pool;
pub mod relu;
pub mod resize;
pub mod rigid;
pub mod saliency;
pub mod sh;
pub mod small_gemm;
pub mod softmax;
