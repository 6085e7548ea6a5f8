//! Which blocks there are, in which groups, and where their values start.

use crate::ops::adam::Adam;
use crate::ops::eugen::{self, Projections};
use crate::rng::{Rng, Stream};
use serde::{Deserialize, Serialize};

/// A block, by its place in a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub(super) usize);

impl BlockId {
    /// Its place in [`Layout::blocks`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// A group, by its place in a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub(super) usize);

impl GroupId {
    /// Its place in [`Layout::groups`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// What the blocks of a group share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, as in logs.
    pub name: String,
    /// Adam's betas.
    pub betas: [f32; 2],
    /// Adam's epsilon.
    pub eps: f32,
    /// Update only values whose gradient is not zero, fused with the gradient's computation where possible.
    pub sparse: bool,
    /// Keep both moments in 32 bits (see `crate::ops::adam::update_packed`).
    pub packed: bool,
    /// What may change from step to step.
    pub settings: GroupSettings,
}

/// What of a group may change from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Factor on the run's learning rate.
    pub rate: f32,
    /// Decoupled weight decay.
    pub decay: f32,
    /// Never updated.
    pub frozen: bool,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self { rate: 1.0, decay: 0.0, frozen: false }
    }
}

impl Group {
    /// A dense group with Instant-NGP's settings: betas (0.9, 0.99), eps 1e-15, no decay.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            betas: [0.9, 0.99],
            eps: 1e-15,
            sparse: false,
            packed: false,
            settings: GroupSettings::default(),
        }
    }

    /// The optimizer's settings at learning rate `rate` of the run.
    pub fn adam(&self, rate: f32) -> Adam {
        Adam {
            rate: rate * self.settings.rate,
            betas: self.betas,
            eps: self.eps,
            decay: self.settings.decay,
            sparse: self.sparse,
        }
    }
}

/// What identifies a block, and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSpec {
    /// The key in a checkpoint.
    pub name: String,
    /// Row-major extents.
    pub shape: Vec<usize>,
    /// Its group.
    pub group: GroupId,
    /// Its first values.
    pub init: Init,
}

impl BlockSpec {
    /// The number of values.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The first values of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same.
    Constant(f32),
    /// Uniform in plus and minus this: a function of the seed, the block's place in the layout and the index.
    Uniform(f32),
    /// Random projections `(projection, column, feature)`: a function of the seed and the block's place in the layout.
    Projections(Projections),
}

/// Blocks and groups, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    blocks: Vec<BlockSpec>,
    groups: Vec<Group>,
}

impl Layout {
    /// Adds a group.
    pub fn group(&mut self, group: Group) -> GroupId {
        self.groups.push(group);
        GroupId(self.groups.len() - 1)
    }

    /// Adds a block.
    pub fn block(&mut self, block: BlockSpec) -> BlockId {
        self.blocks.push(block);
        BlockId(self.blocks.len() - 1)
    }

    /// All blocks.
    pub fn blocks(&self) -> &[BlockSpec] {
        &self.blocks
    }

    /// All groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The handles of all blocks.
    pub fn ids(&self) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.blocks.len()).map(BlockId)
    }

    /// The group of a block.
    pub fn group_of(&self, block: BlockId) -> GroupId {
        self.blocks[block.0].group
    }

    /// The number of trainable values.
    pub fn values(&self) -> usize {
        self.blocks.iter().map(BlockSpec::values).sum()
    }

    /// The number of trainable values of each group, by its name.
    pub fn values_by_group(&self) -> Vec<(&str, usize)> {
        let of = |group: usize| self.blocks.iter().filter(move |b| b.group.0 == group);
        let groups = self.groups.iter().enumerate();
        groups.map(|(i, g)| (&*g.name, of(i).map(BlockSpec::values).sum())).collect()
    }

    /// Writes a block's first values for a run's seed to `out`, which is as long as it.
    pub fn initialize(&self, block: BlockId, seed: u64, out: &mut [f32]) {
        let bound = match self.blocks[block.0].init {
            Init::Constant(value) => return out.fill(value),
            Init::Uniform(bound) => bound,
            Init::Projections(start) => {
                if let [projections, columns, m] = self.blocks[block.0].shape[..] {
                    let drawn = eugen::draw(&start, [projections, columns, m], seed, block.0 as u64);
                    out.copy_from_slice(&drawn);
                }
                return;
            }
        };
        // Four words an index.
        for (index, out) in out.chunks_mut(4).enumerate() {
            let random = Rng::new(seed).uniform4(Stream::Init, block.0 as u64, index as u32);
            out.iter_mut().zip(random).for_each(|(out, r)| *out = bound * (2.0 * r - 1.0));
        }
    }
}
