//! Fields as specs.
//!
//! **Instant-NGP's** (Müller et al. 2022, section 5.4): `h = density_mlp(hash_grid(x))`, `sigma = exp(h_0)`,
//! `rgb = sigmoid(color_mlp(sh(d), h))`. No biases; all of
//! `h`, the raw density included, goes to the color network, as in the original, or all but that, as in torch-ngp
//! (the raw density is the last of `h` then).
//!
//! **HollowNeRF's** (Xie et al. 2023): `v = sigmoid(trilinear(G, x)) hash_grid(x)`, `h = density_mlp(v)`,
//! `sigma = tanh(alpha |v|) exp(h_0)`. G starts at 1 everywhere; the gate stands open at first.
//!
//! Logits stay within +-10, so a closed cell keeps p = 4.5e-5: with alpha = 1e5 its gate is shut only where features
//! are below 0.1. What takes closed space away is that its density falls to 1, less than the occupancy grid asks for.
//!
//! **The classic one** is `classic.rs`; layers that are built otherwise are `layers.rs`.

mod classic;
mod layers;

pub(crate) use layers::check as check_layers;
pub use layers::{LayerPlace, places};

use crate::config::{ColorSees, Loss, Method, NerfConfig};
use nerve_core::device::DeviceKind;
use nerve_core::field::{
    Activation, CameraSpec, Encoding, FieldSpec, GateSpec, Head, HeadLoss, LayerSpec, MlpSpec, OptimizerSpec,
    SaliencySpec, SlotId, Spread, StageSpec,
};
use nerve_core::ops::distortion::DistanceScale;
use nerve_core::ops::eugen::Nonlinearity;
use nerve_core::ops::loss::Penalty;
use nerve_core::ops::march::Steps;
use nerve_core::ops::sh;

/// Tables start uniform in +- this (Müller et al. 2022, section 4).
const TABLE_INIT: f32 = 1e-4;

/// Color channels.
const CHANNELS: usize = 3;

/// Where a fresh saliency grid is.
const LOGIT_INIT: f32 = 1.0;
/// Logits stay within plus and minus this, so that a closed cell can open again.
const LOGIT_LIMIT: f32 = 10.0;

/// The field of a configuration on a kind of device, for a render box of side `box_side` and so many training `cameras`.
/// Layers that cannot be built otherwise stay as they are: [`NerfConfig::validate`] names them.
pub fn spec(config: &NerfConfig, device: DeviceKind, box_side: u32, cameras: usize) -> FieldSpec {
    let mut spec = network(config);
    let _ = layers::rebuild(&mut spec, &config.layers);
    spec.stages.push(StageSpec::Composite { spread: spread(config, box_side) });
    let c = &config.cameras;
    FieldSpec {
        cameras: CameraSpec {
            count: cameras,
            poses: c.refine_poses,
            colors: c.appearance,
            trace: c.fit_poses,
        },
        box_side: box_side as f32,
        min_transmittance: config.march.cut,
        average: config.train.ema,
        precision: config.train.precision_on(device),
        seed: config.train.run.seed,
        ..spec
    }
}

/// The field's stages up to its head, which is not composited yet, all layers in full width.
fn network(config: &NerfConfig) -> FieldSpec {
    let (mut spec, color) = match config.field.method {
        Method::Classic => classic::network(config),
        Method::Plain | Method::Hollow => hash_grid(config),
    };
    spec.heads.push(Head {
        name: "color".into(),
        input: color,
        activation: Activation::Sigmoid,
        loss: HeadLoss::Photometric(match config.train.loss {
            Loss::Mse => Penalty::Mse,
            Loss::Huber => Penalty::Huber,
        }),
        weight: 1.0,
        detach_density: false,
    });
    spec
}

/// A hash grid and two small networks, perhaps behind a saliency grid; and the slot of the raw colors.
fn hash_grid(config: &NerfConfig) -> (FieldSpec, SlotId) {
    let (f, hollow) = (&config.field, &config.hollow);
    let mut spec = FieldSpec::new(Encoding::HashGrid { grid: config.grid.clone(), init: TABLE_INIT });
    let (input, features) = (SlotId::ENCODING, config.grid.outputs());
    let scaled = if config.has_saliency_grid() { spec.slot(features) } else { input };
    let (geometry, directions, color) =
        (spec.slot(f.geometry_features), spec.slot(sh::COEFFICIENTS), spec.slot(CHANNELS));
    let hidden_density = f.color_sees == ColorSees::Geometry;
    let density = MlpSpec {
        name: "density".into(),
        ray_input: None,
        input: scaled,
        inputs: features,
        width: f.width,
        hidden: f.density_layers,
        output: geometry,
        detach: false,
    };
    let colors = MlpSpec {
        name: "color".into(),
        ray_input: Some(directions),
        input: geometry,
        inputs: f.geometry_features - usize::from(hidden_density),
        hidden: f.color_layers,
        output: color,
        ..density.clone()
    };
    if config.has_saliency_grid() {
        spec.stages.push(StageSpec::Saliency { input, output: scaled });
        spec.saliency =
            Some(SaliencySpec { side: hollow.saliency_side, init: LOGIT_INIT, limit: LOGIT_LIMIT });
    }
    if config.has_gate() {
        let alphas = [hollow.alpha, hollow.late_alpha];
        let (switch, start) = (hollow.alpha_switch, hollow.gate_start);
        spec.stages.push(StageSpec::Gate(GateSpec { input: scaled, alphas, switch, start }));
    }
    if config.layers.are_apart() {
        let layers = apart(&mut spec, &density);
        spec.stages.extend(layers);
    } else {
        spec.stages.push(StageSpec::Mlp(density));
    }
    let column = if hidden_density { f.geometry_features - 1 } else { 0 };
    spec.stages.extend([
        StageSpec::Density { input: geometry, column },
        StageSpec::Directions { output: directions, octaves: None },
        StageSpec::Mlp(colors),
    ]);
    let dense = config.train.dense_adam;
    spec.optimizer =
        OptimizerSpec { sparse_tables: !dense, packed_tables: !dense, ..OptimizerSpec::default() };
    (spec, color)
}

/// A network's layers as stages of their own, under the same names.
fn apart(spec: &mut FieldSpec, mlp: &MlpSpec) -> Vec<StageSpec> {
    let mut input = mlp.input;
    let layer = |l: usize| {
        let last = l == mlp.hidden;
        let output = if last { mlp.output } else { spec.slot(mlp.width) };
        let inputs = vec![std::mem::replace(&mut input, output)];
        StageSpec::Layer(LayerSpec {
            name: format!("{}.{l}", mlp.name),
            ray_input: None,
            inputs,
            output,
            activation: if last { Nonlinearity::Identity } else { Nonlinearity::Relu },
            bias: false,
            int8: false,
        })
    };
    (0..=mlp.hidden).map(layer).collect()
}

/// What holds a ray's weights together: on the scale that marching has, from the camera to across the render box.
fn spread(config: &NerfConfig, box_side: u32) -> Spread {
    let steps = Steps::new(config.march.steps_per_unit, box_side);
    let (knee, longest) = (steps.min / steps.cone, 3f32.sqrt() * box_side as f32);
    let scale = DistanceScale::new(knee, longest);
    Spread { distortion: config.train.distortion, depth: config.train.depth_weight(), scale }
}

#[cfg(test)]
mod tests;
