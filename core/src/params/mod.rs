//! The one owner of trainable values: named blocks in groups, with gradient, moments and optional average.
//!
//! A block's gradient buffer exists for dense blocks only. A sparse block (a hash table's level) gets its gradient
//! and its update in one go from the engine, through a buffer of the size of one level that the worker reuses, so
//! that a table's gradient never exists whole.

mod average;
mod block;
mod values;

pub use average::Average;
pub use block::{Block, BlockSpec};
pub use values::{Values, zeros};

use crate::checkpoint::{Checkpoint, CheckpointError, TensorData};
use crate::ops::adam::Adam;
use serde::{Deserialize, Serialize};

/// A named tensor, as a checkpoint takes it.
pub type Tensor<'a> = (String, Vec<usize>, TensorData<'a>);

/// What the blocks of a group share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, as in logs.
    pub name: String,
    /// Factor on the run's learning rate.
    pub rate: f32,
    /// Adam's betas.
    pub betas: [f32; 2],
    /// Adam's epsilon.
    pub eps: f32,
    /// Decoupled weight decay.
    pub decay: f32,
    /// Never updated.
    pub frozen: bool,
    /// Update only values whose gradient is not zero, fused with the gradient's computation where possible.
    pub sparse: bool,
    /// Keep both moments in 32 bits (see [`crate::ops::adam::update_packed`]).
    pub packed: bool,
}

impl Group {
    /// A dense group with Instant-NGP's settings: betas (0.9, 0.99), eps 1e-15, no decay.
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            name,
            rate: 1.0,
            betas: [0.9, 0.99],
            eps: 1e-15,
            decay: 0.0,
            frozen: false,
            sparse: false,
            packed: false,
        }
    }

    /// The optimiser's settings at learning rate `rate` of the run.
    pub fn adam(&self, rate: f32) -> Adam {
        Adam {
            rate: rate * self.rate,
            betas: self.betas,
            eps: self.eps,
            decay: self.decay,
            sparse: self.sparse,
        }
    }
}

/// All parameters of a model and their optimiser's state.
#[derive(Debug, Default)]
pub struct Params {
    /// Groups, referred to by index.
    pub groups: Vec<Group>,
    blocks: Vec<Block>,
    /// Optimiser steps taken.
    pub step: u64,
}

impl Params {
    /// Adds a group and returns its index.
    pub fn group(&mut self, group: Group) -> usize {
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// Adds a block and returns its index. `init` gives the value at a flat index.
    pub fn block(&mut self, spec: BlockSpec, init: impl Fn(usize) -> f32) -> usize {
        let group = &self.groups[spec.group];
        self.blocks.push(Block::new(spec, group, init));
        self.blocks.len() - 1
    }

    /// Keeps an exponential average of every block, `decay` per step, from now on.
    pub fn average(&mut self, decay: f32) {
        for block in &mut self.blocks {
            let sparse = self.groups[block.spec.group].sparse;
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

    /// The values of block `index`.
    pub fn weight(&self, index: usize) -> &[f32] {
        &self.blocks[index].weight
    }

    /// The gradient of dense block `index`, to add to.
    pub fn grad(&mut self, index: usize) -> &mut [f32] {
        &mut self.blocks[index].grad
    }

    /// The number of trainable values.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|b| b.weight.len()).sum()
    }

    /// True if there is no block.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Weights, moments and averages as named tensors: `NAME`, `adam.m/NAME` and `adam.v/NAME` or
    /// `adam.packed/NAME`, and of an average its lazy state, `ema/NAME` and `ema.settled/NAME`.
    pub fn tensors(&self) -> Vec<Tensor<'_>> {
        let mut all = Vec::with_capacity(5 * self.blocks.len());
        for b in &self.blocks {
            let Block { spec, weight, m, v, packed, average, .. } = b;
            let mut push = |prefix: &str, values| {
                all.push((format!("{prefix}{}", spec.name), spec.shape.clone(), TensorData::F32(values)));
            };
            push("", weight);
            if packed.is_empty() {
                push("adam.m/", m);
                push("adam.v/", v);
            } else {
                let name = format!("adam.packed/{}", spec.name);
                all.push((name, spec.shape.clone(), TensorData::U32(packed)));
            }
            if let Some(a) = average {
                all.push((format!("ema/{}", spec.name), spec.shape.clone(), TensorData::F32(&a.values)));
                let settled = (
                    format!("ema.settled/{}", spec.name),
                    vec![a.settled.len()],
                    TensorData::U32(&a.settled),
                );
                all.push(settled);
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
            let BlockSpec { name, shape, group } = &b.spec;
            checkpoint.read_into_f32(name, shape, &mut b.weight)?;
            if let Some(decay) = decay {
                let mut average = Average::new(decay, &b.weight, self.groups[*group].sparse, step);
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
