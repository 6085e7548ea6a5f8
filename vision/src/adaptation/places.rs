//! The residual branches that adapters sit at, by block, and how wide they are.
use nerve_core::graph::{Result, bail};

use super::{Placement, Site};
use crate::backbones::{Branch, Part};

/// A block's branches with adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Its number.
    pub(super) number: u32,
    /// Its channels.
    pub(super) channels: usize,
    /// Its branches.
    pub(super) branches: Vec<Branch>,
}

impl Site<'_> {
    /// The blocks with their branches where adapters are placed; `default` is the method's published placement. A block
    /// of convolutions has one branch, which counts as its MLP.
    pub(super) fn blocks(&self, default: Placement) -> Vec<Block> {
        let placement = self.settings.placement.unwrap_or(default);
        let mut blocks: Vec<Block> = Vec::new();
        for branch in self.backbone.branches() {
            if placement == Placement::Mlp && branch.part == Part::Attention {
                continue;
            }
            match blocks.last_mut() {
                Some(block) if block.number == branch.block => block.branches.push(branch),
                _ => blocks.push(Block {
                    number: branch.block,
                    channels: branch.channels,
                    branches: vec![branch],
                }),
            }
        }
        blocks
    }

    /// The hidden channels of an adapter of so many channels; `default` is the published reduction.
    pub(super) fn hidden(&self, channels: usize, default: usize) -> Result<usize> {
        let reduction = self.settings.reduction.unwrap_or(default);
        match channels / reduction.max(1) {
            0 => bail!(
                "an adapter of {channels} channels cannot be reduced by {reduction}: give a smaller --reduction"
            ),
            hidden => Ok(hidden),
        }
    }
}

/// The greatest common divisor of the blocks' channels: the width of templates.
pub(super) fn template_width(blocks: &[Block]) -> usize {
    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    blocks.iter().fold(0, |width, block| gcd(width, block.channels)).max(1)
}
