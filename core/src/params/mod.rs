//! The one owner of trainable values: named blocks in groups, with gradient, moments and optional average.
//!
//! A block's gradient buffer exists for dense blocks only. A sparse block (a hash table's level) gets its gradient
//! and its update in one go from the engine, through a buffer of the size of one level that the worker reuses, so
//! that a table's gradient never exists whole.

mod average;
mod block;
mod layout;
mod state;
mod values;

pub use average::Average;
pub use block::Block;
pub use layout::{BlockId, BlockSpec, Group, GroupId, GroupSettings, Init, Layout};
pub use state::{StateData, StateTensor};
pub use values::{Values, zeros};

use crate::checkpoint::{Checkpoint, CheckpointError};

/// All parameters of a model and their optimiser's state.
#[derive(Debug, Default)]
pub struct Params {
    groups: Vec<Group>,
    blocks: Vec<Block>,
    /// Optimiser steps taken.
    pub step: u64,
}

impl Params {
    /// The blocks of a layout with their first values for a run's seed.
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self::zeroed(layout).initialized(layout, seed)
    }

    /// The same, all zeros: room for values that come from elsewhere.
    pub fn zeroed(layout: &Layout) -> Self {
        Self::of(layout, |spec| Block::new(spec, &layout.groups()[spec.group.index()]))
    }

    /// The same without gradients and moments, to be looked at: they cannot be updated, and have no [state](Self::tensors).
    pub fn weights_only(layout: &Layout, seed: u64) -> Self {
        Self::of(layout, Block::weights_only).initialized(layout, seed)
    }

    fn of(layout: &Layout, make: impl Fn(&BlockSpec) -> Block) -> Self {
        let blocks = layout.blocks().iter().map(make).collect();
        Self { blocks, groups: layout.groups().to_vec(), step: 0 }
    }

    fn initialized(mut self, layout: &Layout, seed: u64) -> Self {
        layout
            .ids()
            .zip(&mut self.blocks)
            .for_each(|(id, block)| layout.initialize(id, seed, &mut block.weight));
        self
    }

    /// How a group learns from the next step on.
    pub fn set_group(&mut self, group: GroupId, settings: GroupSettings) {
        self.groups[group.index()].settings = settings;
    }

    /// Keeps an exponential average of every block, `decay` per step, from now on.
    pub fn average(&mut self, decay: f32) {
        for block in &mut self.blocks {
            let sparse = self.groups[block.spec.group.index()].sparse;
            block.average = Some(Average::new(decay, &block.weight, sparse, self.step));
        }
    }

    /// Exchanges weights with their averages, where there are any; a second call undoes the first. No step may be
    /// taken in between.
    pub fn swap_average(&mut self) {
        let step = self.step;
        for block in &mut self.blocks {
            if let Some(average) = &mut block.average {
                average.swap(&mut block.weight, step);
            }
        }
    }

    /// All blocks, in the order they were added.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// All blocks and the groups they refer to.
    pub fn split(&mut self) -> (&mut [Block], &[Group]) {
        (&mut self.blocks, &self.groups)
    }

    /// The values of a block.
    pub fn weight(&self, block: BlockId) -> &[f32] {
        &self.blocks[block.index()].weight
    }

    /// The values of a block, to be replaced.
    pub fn weight_mut(&mut self, block: BlockId) -> &mut [f32] {
        &mut self.blocks[block.index()].weight
    }

    /// The gradient of a dense block, to add to.
    pub fn grad(&mut self, block: BlockId) -> &mut [f32] {
        &mut self.blocks[block.index()].grad
    }

    /// Weights, moments and averages as named tensors: `NAME`, `adam.m/NAME` and `adam.v/NAME` or
    /// `adam.packed/NAME`, and of an average its lazy state, `ema/NAME` and `ema.settled/NAME`.
    pub fn tensors(&self) -> Vec<StateTensor<'_>> {
        let mut all = Vec::with_capacity(5 * self.blocks.len());
        for b in &self.blocks {
            let Block { spec, weight, m, v, packed, average, .. } = b;
            let mut push = |prefix: &str, shape: &[usize], data| {
                let name = format!("{prefix}{}", spec.name);
                all.push(StateTensor { name, shape: shape.to_vec(), data });
            };
            push("", &spec.shape, StateData::of_f32(weight));
            if packed.is_empty() {
                push("adam.m/", &spec.shape, StateData::of_f32(m));
                push("adam.v/", &spec.shape, StateData::of_f32(v));
            } else {
                push("adam.packed/", &spec.shape, StateData::of_u32(packed));
            }
            if let Some(a) = average {
                push("ema/", &spec.shape, StateData::of_f32(&a.values));
                push("ema.settled/", &[a.settled.len()], StateData::of_u32(&a.settled));
            }
        }
        all
    }

    /// Reads the weights alone of what [`Self::tensors`] wrote; the blocks must be the same. Where an average with this
    /// `decay` was kept, it takes the weights' place: what is looked at from now on.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn restore_weights(
        &mut self,
        checkpoint: &Checkpoint,
        step: u64,
        decay: Option<f32>,
    ) -> Result<(), CheckpointError> {
        self.step = step;
        for b in &mut self.blocks {
            let BlockSpec { name, shape, group, .. } = &b.spec;
            checkpoint.read_into_f32(name, shape, &mut b.weight)?;
            if let Some(decay) = decay {
                let mut average = Average::new(decay, &b.weight, self.groups[group.index()].sparse, step);
                average.restore(checkpoint, name, shape)?;
                b.weight = average.current(&b.weight, step);
            }
        }
        Ok(())
    }

    /// Reads what [`Self::tensors`] wrote; the blocks must be the same.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn restore(&mut self, checkpoint: &Checkpoint, step: u64) -> Result<(), CheckpointError> {
        self.step = step;
        for b in &mut self.blocks {
            let BlockSpec { name, shape, .. } = &b.spec;
            checkpoint.read_into_f32(name, shape, &mut b.weight)?;
            if b.packed.is_empty() {
                checkpoint.read_into_f32(&format!("adam.m/{name}"), shape, &mut b.m)?;
                checkpoint.read_into_f32(&format!("adam.v/{name}"), shape, &mut b.v)?;
            } else {
                b.packed.copy_from_slice(&checkpoint.u32(&format!("adam.packed/{name}"), shape)?);
            }
            if let Some(a) = &mut b.average {
                a.restore(checkpoint, name, shape)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
