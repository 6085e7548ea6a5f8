//! CLIP's own last block: `y = x + out(softmax(s q k^T) v)`, then `y + mlp(y)`.
use nerve_core::graph::{Result, Tensor};
use nerve_core::ops::add::add;

use super::likeness;
use crate::backbones::vit::{LastBlock, Parts};

pub(super) fn forward(block: LastBlock<'_>, x: &Tensor) -> Result<Tensor> {
    let Parts { q, k, v } = block.parts(x)?;
    let found = likeness(&q, &k, block.scale(x)?)?.matmul(&v)?;
    block.mlp(&add(x, &block.out(&found)?)?)
}
