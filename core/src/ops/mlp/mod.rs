//! Small bias-free ReLU networks. The fast path is [`engine::stages::Mlp`](crate::engine::stages::Mlp), which is made of
//! [products](super::small_gemm).
pub mod reference;
