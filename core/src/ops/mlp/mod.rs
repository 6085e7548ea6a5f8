//! Small bias-free ReLU networks. On the processor they are made of [products](super::small_gemm) over tiles, a stage of
//! the engine (`engine/cpu/stages/mlp.rs`).
#[cfg(test)]
pub(crate) mod reference;
