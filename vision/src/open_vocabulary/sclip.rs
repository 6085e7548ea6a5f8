//! SCLIP (Wang et al. 2024, "Rethinking Self-Attention for Dense Vision-Language Inference"):
//! `y = x + out((softmax(s q q^T) + softmax(s k k^T)) v)`, then `y + mlp(y)`. The two are added: rows sum to two.
use nerve_core::graph::{Result, Tensor};
use nerve_core::ops::add::add;

use super::likeness;
use crate::backbones::vit::{LastBlock, Parts};

pub(super) fn forward(block: LastBlock<'_>, x: &Tensor) -> Result<Tensor> {
    let (Parts { q, k, v }, scale) = (block.parts(x)?, block.scale(x)?);
    let found = (likeness(&q, &q, scale)? + likeness(&k, &k, scale)?)?.matmul(&v)?;
    block.mlp(&add(x, &block.out(&found)?)?)
}
