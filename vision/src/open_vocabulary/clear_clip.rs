//! ClearCLIP (Lan et al. 2024, "Decomposing Vision-Language Representations for Dense Inference"):
//! `out(softmax(s q q^T) v)`, without the residual sum and without the MLP.
use nerve_core::graph::{Result, Tensor};

use super::likeness;
use crate::backbones::vit::{LastBlock, Parts};

pub(super) fn forward(block: LastBlock<'_>, x: &Tensor) -> Result<Tensor> {
    let Parts { q, v, .. } = block.parts(x)?;
    block.out(&likeness(&q, &q, block.scale(x)?)?.matmul(&v)?)
}
