//! MaskCLIP (Zhou et al. 2022, "Extract Free Dense Labels from CLIP"): `y = x + out(v)`, then `y + mlp(y)`. No place sees
//! another one in this block.
use nerve_core::graph::{Result, Tensor};
use nerve_core::ops::add::add;

use crate::backbones::vit::LastBlock;

pub(super) fn forward(block: LastBlock<'_>, x: &Tensor) -> Result<Tensor> {
    let found = block.out(&block.parts(x)?.v)?;
    block.mlp(&add(x, &found)?)
}
