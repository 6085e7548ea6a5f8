//! Which parameters a field has: blocks in groups, under names and handles. The one place that knows.

use super::{Encoding, FieldSpec, MlpSpec, Outputs, SpecError, StageSpec, Targets};
use crate::ops::hash_grid::GridLevel;
use crate::ops::{affine_color, rigid};
use crate::params::{BlockId, BlockSpec, Group, GroupSettings, Init, Layout};

/// Name of the tables' group; their blocks are `grid.LEVEL`.
const TABLES: &str = "grid";
/// Name of the networks' group.
const NETWORKS: &str = "mlp";
/// Name of the group of projections that stay as they were drawn.
const FROZEN: &str = "frozen";
/// Name of the block and the group of the poses' corrections.
pub const POSES: &str = "cameras.poses";
/// Name of the block and the group of the cameras' colors.
pub const COLORS: &str = "cameras.colors";
/// Name of the block and the group of the saliency grid.
pub const SALIENCY: &str = "saliency";

/// The shape of a field, as its spec has it: the same for every engine.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldLayout {
    /// Blocks and groups, in the order of checkpoints: tables, networks, cameras, saliency. Initial values are drawn by
    /// this order, so that fields that begin alike start alike.
    pub params: Layout,
    /// What the blocks are.
    pub handles: Handles,
    /// The hash grid's levels, coarsest first; none of other encodings.
    pub levels: Vec<GridLevel>,
    /// The columns of a ray's composited output.
    pub outputs: Outputs,
    /// The columns of a ray's target.
    pub targets: Targets,
}

/// A field's blocks by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handles {
    /// The hash grid's tables, level by level, `[entry][feature]`.
    pub tables: Vec<BlockId>,
    /// The networks in the order of their stages, layer by layer, `[out][in]`.
    pub networks: Vec<Vec<BlockId>>,
    /// Of layers and features, in the order of their stages: a layer's weight and bias, features' G.
    pub layers: Vec<Vec<BlockId>>,
    /// Corrections of the cameras' poses, `[camera][6]` (see [`rigid`]).
    pub poses: Option<BlockId>,
    /// The cameras' colors, `[camera][12]` (see [`affine_color`]).
    pub colors: Option<BlockId>,
    /// The saliency grid's logits, x fastest.
    pub saliency: Option<BlockId>,
}

impl FieldSpec {
    /// The field's parameters.
    ///
    /// # Errors
    /// What of the spec cannot be.
    pub fn layout(&self) -> Result<FieldLayout, SpecError> {
        self.validate()?;
        let (mut params, mut handles) = (Layout::default(), Handles::default());
        let group =
            |name: &str| Group { betas: self.optimizer.betas, eps: self.optimizer.eps, ..Group::new(name) };
        let mut levels = Vec::new();
        if let Encoding::HashGrid { grid, init } = &self.encoding {
            let sparse = self.optimizer.sparse_tables;
            let tables = Group { sparse, packed: self.optimizer.packed_tables, ..group(TABLES) };
            let tables = params.group(tables);
            levels = grid.levels()?;
            for (l, level) in levels.iter().enumerate() {
                let (name, shape) = (format!("{TABLES}.{l:02}"), vec![level.entries, level.features]);
                let block = BlockSpec { name, shape, group: tables, init: Init::Uniform(*init) };
                handles.tables.push(params.block(block));
            }
        }
        let settings = GroupSettings { rate: self.optimizer.network_rate, ..GroupSettings::default() };
        let networks = params.group(Group { settings, ..group(NETWORKS) });
        for mlp in self.networks() {
            let layer = |(l, (inputs, outputs)): (usize, (usize, usize))| {
                let (name, shape) = (format!("{}.{l}.weight", mlp.name), vec![outputs, inputs]);
                let init = Init::Uniform((6.0 / inputs as f32).sqrt());
                params.block(BlockSpec { name, shape, group: networks, init })
            };
            handles.networks.push(mlp.layers(&self.slots).into_iter().enumerate().map(layer).collect());
        }
        let freezes = |s: &StageSpec| matches!(s, StageSpec::Features(features) if features.config.frozen);
        let frozen = if self.stages.iter().any(freezes) {
            let settings = GroupSettings { frozen: true, ..GroupSettings::default() };
            params.group(Group { settings, ..group(FROZEN) })
        } else {
            networks
        };
        for stage in &self.stages {
            let mut block = |name: String, shape: Vec<usize>, group, init| {
                params.block(BlockSpec { name, shape, group, init })
            };
            match stage {
                StageSpec::Layer(layer) => {
                    let (inputs, outputs) = layer.extents(&self.slots);
                    let init = Init::Uniform((6.0 / inputs as f32).sqrt());
                    let weight = format!("{}.weight", layer.name);
                    let mut blocks = vec![block(weight, vec![outputs, inputs], networks, init)];
                    if layer.bias {
                        let bias = format!("{}.bias", layer.name);
                        blocks.push(block(bias, vec![outputs], networks, Init::Constant(0.0)));
                    }
                    handles.layers.push(blocks);
                }
                StageSpec::Features(features) => {
                    let config = &features.config;
                    let shape = config.shape(self.slots[features.input.0]).to_vec();
                    let group = if config.frozen { frozen } else { networks };
                    let init = Init::Projections(config.start());
                    handles.layers.push(vec![block(format!("{}.g", features.name), shape, group, init)]);
                }
                _ => {}
            }
        }
        let mut alone = |name: &str, shape: Vec<usize>, init: f32| {
            let group = params.group(group(name));
            params.block(BlockSpec { name: name.to_owned(), shape, group, init: Init::Constant(init) })
        };
        let cameras = self.cameras;
        handles.poses = cameras.poses.then(|| alone(POSES, vec![cameras.count, rigid::VALUES], 0.0));
        handles.colors =
            cameras.colors.then(|| alone(COLORS, vec![cameras.count, affine_color::VALUES], 0.0));
        handles.saliency = self.saliency.map(|grid| alone(SALIENCY, vec![grid.side; 3], grid.init));
        let (outputs, targets) = (self.outputs(), self.targets());
        Ok(FieldLayout { params, handles, levels, outputs, targets })
    }

    /// The networks, in the order of their stages.
    pub fn networks(&self) -> impl Iterator<Item = &MlpSpec> {
        self.stages.iter().filter_map(|stage| match stage {
            StageSpec::Mlp(mlp) => Some(mlp),
            _ => None,
        })
    }
}
