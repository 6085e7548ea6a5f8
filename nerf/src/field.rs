//! The Instant-NGP field (Müller et al. 2022, section 5.4), and HollowNeRF's (Xie et al. 2023).
//!
//! `h = density_mlp(hash_grid(x))`, `sigma = exp(h_0)`, `rgb = sigmoid(color_mlp(sh(d), h))`. No biases; all of
//! `h`, the raw density included, goes to the color network, as in the original, or all but that, as in torch-ngp
//! (the raw density is the last of `h` then).
//!
//! HollowNeRF: `v = sigmoid(trilinear(G, x)) hash_grid(x)`, `h = density_mlp(v)`,
//! `sigma = tanh(alpha |v|) exp(h_0)`. G starts at 1 everywhere; the gate stands open at first.
//!
//! Logits stay within +-10, so a closed cell keeps p = 4.5e-5: with alpha = 1e5 its gate is shut only where features
//! are below 0.1. What takes closed space away is that its density falls to 1, less than the occupancy grid asks for.

use crate::cameras;
use crate::config::{ColorSees, NerfConfig, TrainConfig};
use crate::objective::Photometric;
use nerve_core::engine::stages::{Composite, Density, Directions, Mlp, MlpShape, Saliency, Spread, ZeroSkip};
use nerve_core::engine::{FieldLayout, GridBlocks, Plan, SaliencyBlock, Stage};
use nerve_core::ops::distortion::Scale;
use nerve_core::ops::march::Steps;
use nerve_core::ops::sh;
use nerve_core::params::{BlockSpec, Group, Params};
use nerve_core::rng::{Rng, Stream};
use nerve_core::settings::SettingError;

/// Tables start uniform in +- this (Müller et al. 2022, section 4).
const TABLE_INIT: f32 = 1e-4;

/// Color channels.
pub const CHANNELS: usize = 3;

/// Where a fresh saliency grid is.
const LOGIT_INIT: f32 = 1.0;
/// Logits stay within plus and minus this, so that a closed cell can open again.
const LOGIT_LIMIT: f32 = 10.0;

/// Name of the saliency grid's block.
pub const SALIENCY: &str = "saliency";

/// Builds the field's parameters and stages for a render box of side `box_side` and so many training `cameras`.
///
/// # Errors
/// If the grid's extents are out of range.
pub fn build(
    config: &NerfConfig,
    box_side: u32,
    cameras: usize,
) -> Result<(Params, FieldLayout), SettingError> {
    let mut params = Params::default();
    let rng = Rng::new(config.train.seed);
    // A stream's block and index choose one of four words.
    let random = |block: u32, i: u32| rng.uniform4(Stream::Init, block.into(), i / 4)[i as usize % 4];
    let grid = grid(config, &mut params, &random)?;
    let group = params.group(Group::new("mlp"));
    let mut plan = Plan::default();
    let f = &config.field;
    let input = plan.slot(grid.levels.len() * grid.features);
    let scaled = if config.hollow.has_grid() { plan.slot(grid.levels.len() * grid.features) } else { input };
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
        Mlp::new("density", shape, None, scaled, geometry, true, &mut plan, &mut params, group, &random);
    let shape = MlpShape {
        ray_inputs: sh::COEFFICIENTS,
        inputs: f.geometry_features - usize::from(f.color_sees == ColorSees::Geometry),
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
    )
    .with_ray_gradient(config.cameras.traces_rays());
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    if scaled != input {
        stages.push(Box::new(Saliency { input, output: scaled }));
    }
    let (hollow, gated) = (&config.hollow, config.hollow.has_gate());
    if gated {
        let alphas = [hollow.alpha, hollow.late_alpha];
        stages.push(Box::new(ZeroSkip::new(scaled, alphas, hollow.alpha_switch, hollow.gate_start)));
    }
    let column = if f.color_sees == ColorSees::Geometry { f.geometry_features - 1 } else { 0 };
    stages.push(Box::new(density));
    stages.push(Box::new(Density {
        input: geometry,
        rows,
        min_transmittance: config.march.cut,
        column,
        gated,
    }));
    stages.push(Box::new(Directions { output: directions, gradient: config.cameras.traces_rays() }));
    stages.push(Box::new(colors));
    stages.push(Box::new(Composite { input: color, channels: CHANNELS, spread: spread(config, box_side) }));
    // Behind the networks, so that these start with the same values as a plain field's.
    let cameras = cameras::blocks(config, &mut params, cameras);
    let saliency = hollow.has_grid().then(|| {
        let group = params.group(Group::new(SALIENCY));
        let spec = BlockSpec { name: SALIENCY.to_owned(), shape: vec![hollow.saliency_side; 3], group };
        SaliencyBlock {
            side: hollow.saliency_side,
            block: params.block(spec, |_| LOGIT_INIT),
            limit: LOGIT_LIMIT,
        }
    });
    if let Some(decay) = config.train.ema {
        params.average(decay);
    }
    let objective =
        Box::new(Photometric { loss: config.train.loss, distances: config.train.depth_weight() > 0.0 });
    let shrink = 1.0 / box_side as f32;
    Ok((
        params,
        FieldLayout {
            grid,
            saliency,
            cameras,
            input,
            stages,
            plan,
            channels: CHANNELS,
            objective,
            min_transmittance: config.march.cut,
            shrink,
        },
    ))
}

/// What holds a ray's weights together: on the scale that marching has, from the camera to across the render box.
fn spread(config: &NerfConfig, box_side: u32) -> Spread {
    let steps = Steps::new(config.march.steps_per_unit, box_side);
    let (knee, longest) = (steps.min / steps.cone, 3f32.sqrt() * box_side as f32);
    let scale = Scale::new(knee, longest);
    Spread { distortion: config.train.distortion, depth: config.train.depth_weight(), scale }
}

/// One block per level.
fn grid(
    config: &NerfConfig,
    params: &mut Params,
    random: &dyn Fn(u32, u32) -> f32,
) -> Result<GridBlocks, SettingError> {
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
