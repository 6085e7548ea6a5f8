//! The Instant-NGP field (Müller et al. 2022, section 5.4).
//!
//! `h = density_mlp(hash_grid(x))`, `sigma = exp(h_0)`, `rgb = sigmoid(color_mlp(sh(d), h))`. No biases; all of
//! `h`, the raw density included, goes to the colour network, as in the original.

use crate::config::{NerfConfig, TrainConfig};
use crate::objective::Photometric;
use nerve_core::engine::stages::{Composite, Density, Directions, Mlp, MlpShape};
use nerve_core::engine::{FieldLayout, GridBlocks, Plan, Stage};
use nerve_core::ops::hash_grid::ConfigError;
use nerve_core::ops::sh;
use nerve_core::params::{BlockSpec, Group, Params};
use nerve_core::rng::{Rng, Stream};

/// Tables start uniform in +- this (Müller et al. 2022, section 4).
const TABLE_INIT: f32 = 1e-4;

/// Colour channels.
pub const CHANNELS: usize = 3;

/// Builds the field's parameters and stages for a render box of side `box_side`.
///
/// # Errors
/// If the grid's extents are out of range.
pub fn instant_ngp(config: &NerfConfig, box_side: u32) -> Result<(Params, FieldLayout), ConfigError> {
    let mut params = Params::default();
    let rng = Rng::new(config.train.seed);
    // A stream's block and index choose one of four words.
    let random = |block: u32, i: u32| rng.uniform4(Stream::Init, block.into(), i / 4)[i as usize % 4];
    let grid = grid(config, &mut params, &random)?;
    let group = params.group(Group::new("mlp"));
    let mut plan = Plan::default();
    let f = &config.field;
    let input = plan.slot(grid.levels.len() * grid.features);
    let (geometry, directions, color) =
        (plan.slot(f.geometry_features), plan.slot(sh::COEFFICIENTS), plan.slot(CHANNELS));
    let shape = MlpShape {
        ray_inputs: 0,
        inputs: grid.levels.len() * grid.features,
        width: f.width,
        hidden: f.density_layers,
        outputs: f.geometry_features,
    };
    let density =
        Mlp::new("density", shape, None, input, geometry, true, &mut plan, &mut params, group, &random);
    let shape = MlpShape {
        ray_inputs: sh::COEFFICIENTS,
        inputs: f.geometry_features,
        width: f.width,
        hidden: f.color_layers,
        outputs: CHANNELS,
    };
    let rows = density.rows();
    let colors = Mlp::new(
        "color",
        shape,
        Some(directions),
        geometry,
        color,
        true,
        &mut plan,
        &mut params,
        group,
        &random,
    );
    let stages: Vec<Box<dyn Stage>> = vec![
        Box::new(density),
        Box::new(Density { input: geometry, rows, cut: config.march.cut }),
        Box::new(Directions { output: directions }),
        Box::new(colors),
        Box::new(Composite { input: color, channels: CHANNELS }),
    ];
    if let Some(decay) = config.train.ema {
        params.average(decay);
    }
    let objective = Box::new(Photometric(config.train.loss));
    let shrink = 1.0 / box_side as f32;
    Ok((
        params,
        FieldLayout {
            grid,
            input,
            stages,
            plan,
            channels: CHANNELS,
            objective,
            cut: config.march.cut,
            shrink,
        },
    ))
}

/// One block per level.
fn grid(
    config: &NerfConfig,
    params: &mut Params,
    random: &dyn Fn(u32, u32) -> f32,
) -> Result<GridBlocks, ConfigError> {
    let TrainConfig { dense_adam, .. } = config.train;
    let group = params.group(Group { sparse: !dense_adam, packed: !dense_adam, ..Group::new("grid") });
    let levels = config.grid.levels()?;
    let first = params.blocks().len();
    for (l, level) in levels.iter().enumerate() {
        let name = format!("grid.{l:02}");
        let spec = BlockSpec { name, shape: vec![level.entries, level.features], group };
        params.block(spec, |i| TABLE_INIT * (2.0 * random(l as u32, i as u32) - 1.0));
    }
    Ok(GridBlocks { levels, blocks: first..params.blocks().len(), features: config.grid.features })
}
