//! The batch engine against the f64 field: a small Instant-NGP field on rays whose samples are given.
#![allow(clippy::unwrap_used)]

mod cameras;
mod determinism;
mod edges;
mod gradients;
mod inference;
mod kinds;
mod layers;
mod looking;
mod oracle;
mod precision;
pub(in crate::engine) mod shots;
mod slopes;
mod views;
mod visits;

use super::tile::CAPACITY;
use super::*;
use crate::engine::{Batch, GivenSamples};
use crate::field::{
    Activation, CameraSpec, Encoding, GateSpec, Head, MlpSpec, OptimizerSpec, SaliencySpec, SlotId, Spread,
    StageSpec,
};
use crate::ops::check::TestRng;
use crate::ops::distortion::DistanceScale;
use crate::ops::hash_grid::HashGridConfig;
use crate::ops::loss::Penalty;
use shots::{CAMERAS, Shots};

/// Extents of a field; the default is small but has dense and hashed levels and the usual networks.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Setup {
    pub grid: HashGridConfig,
    pub width: usize,
    pub density_layers: usize,
    pub color_layers: usize,
    pub geometry: usize,
    pub harmonics: usize,
    /// Where rays end: 0 for never.
    pub min_transmittance: f32,
    /// Rays are marched in rounds, up to there; otherwise the density stage drops what lies behind it.
    pub rounds: bool,
    pub box_side: f32,
    pub sparse: bool,
    pub betas: [f32; 2],
    pub average: Option<f32>,
    /// Logits per axis of the saliency grid.
    pub saliency: Option<usize>,
    /// alpha of the density's gate.
    pub gate: Option<f32>,
    /// The color network does not see the raw density, which is the last output then.
    pub hidden: bool,
    /// Size of the tables' values.
    pub size: f32,
    /// Poses and colors of the cameras are learnt.
    pub pose: bool,
    pub colors: bool,
    /// Weights of distortion and deviation.
    pub spread: [f32; 2],
}

/// Of the spread's scale.
const KNEE: f32 = 0.3;

impl Default for Setup {
    fn default() -> Self {
        Self {
            grid: HashGridConfig {
                levels: 4,
                features: 2,
                log2_entries: 9,
                base_resolution: 4,
                finest_resolution: 24,
            },
            width: 64,
            density_layers: 1,
            color_layers: 2,
            geometry: 16,
            harmonics: 16,
            min_transmittance: 0.0,
            rounds: true,
            box_side: 1.0,
            sparse: true,
            // After the first step, the first moment is the gradient.
            betas: [0.0, 0.99],
            average: None,
            saliency: None,
            gate: None,
            hidden: false,
            size: 1.0,
            pose: false,
            colors: false,
            spread: [0.0; 2],
        }
    }
}

impl Setup {
    pub fn spec(&self) -> FieldSpec {
        let mut spec = FieldSpec::new(Encoding::HashGrid { grid: self.grid.clone(), init: self.size });
        let input = SlotId::ENCODING;
        let scaled = if self.saliency.is_some() { spec.slot(self.grid.outputs()) } else { input };
        let (geometry, harmonics, color) =
            (spec.slot(self.geometry), spec.slot(self.harmonics), spec.slot(3));
        if scaled != input {
            spec.stages.push(StageSpec::Saliency { input, output: scaled });
        }
        if let Some(alpha) = self.gate {
            // Half of it first: the steps here are at progress 1.
            let alphas = [0.5 * alpha, alpha];
            spec.stages.push(StageSpec::Gate(GateSpec { input: scaled, alphas, switch: 0.5, start: 0.2 }));
        }
        let density = MlpSpec {
            name: "density".into(),
            ray_input: None,
            input: scaled,
            inputs: self.grid.outputs(),
            width: self.width,
            hidden: self.density_layers,
            output: geometry,
            detach: false,
        };
        let colors = MlpSpec {
            name: "color".into(),
            ray_input: Some(harmonics),
            input: geometry,
            inputs: self.geometry - usize::from(self.hidden),
            hidden: self.color_layers,
            output: color,
            ..density.clone()
        };
        let column = if self.hidden { self.geometry - 1 } else { 0 };
        let scale = DistanceScale::new(KNEE, 1.0);
        let spread = Spread { distortion: self.spread[0], depth: self.spread[1], scale };
        spec.stages.extend([
            StageSpec::Mlp(density),
            StageSpec::Density { input: geometry, column },
            StageSpec::Directions { output: harmonics, octaves: None },
            StageSpec::Mlp(colors),
            StageSpec::Composite { spread },
        ]);
        spec.heads.push(Head {
            name: "color".into(),
            input: color,
            activation: Activation::Sigmoid,
            loss: HeadLoss::Photometric(Penalty::Mse),
            weight: 1.0,
            detach_density: false,
        });
        spec.saliency = self.saliency.map(|side| SaliencySpec { side, init: 0.0, limit: 10.0 });
        spec.cameras = CameraSpec { count: CAMERAS, poses: self.pose, colors: self.colors, trace: false };
        spec.optimizer = OptimizerSpec {
            betas: self.betas,
            sparse_tables: self.sparse,
            packed_tables: false,
            ..OptimizerSpec::default()
        };
        spec.box_side = self.box_side;
        spec.min_transmittance = self.min_transmittance;
        spec.average = self.average;
        spec
    }

    pub fn engine(&self, isa: Isa, threads: usize) -> CpuEngine {
        self.engine_of(&self.spec(), isa, threads)
    }

    /// An engine whose blocks that start as constants have random values.
    pub fn engine_of(&self, spec: &FieldSpec, isa: Isa, threads: usize) -> CpuEngine {
        let mut engine = CpuEngine::with_isa(spec, &workers(threads), isa).unwrap();
        let handles = engine.layout.handles.clone();
        let blocks = [(handles.poses, 0.1), (handles.colors, 0.3), (handles.saliency, 3.0)];
        for (block, size) in blocks.into_iter().filter_map(|(block, size)| Some((block?, size))) {
            let n = engine.params.weight(block).len();
            let mut rng = TestRng::new(99 + block.index() as u64);
            let values = crate::ops::check::narrow(&rng.uniforms(n, -size, size));
            engine.write(block, &values).unwrap();
        }
        if let Some(decay) = self.average {
            engine.params.average(decay);
        }
        if !self.rounds {
            // The density stage alone drops samples.
            engine.field.min_transmittance = 0.0;
        }
        engine
    }
}

/// What engines of these tests are opened with.
fn workers(threads: usize) -> Options {
    Options { purpose: Purpose::Train, pool: Pool::new(threads).unwrap() }
}

/// Mean square difference over red, green and blue, both sides on the target's background.
fn loss_of(out: &[f32], target: &[f32]) -> f32 {
    crate::ops::loss::photometric(Penalty::Mse, &out[..3], out[4], target, &mut [0.0; 3], &mut 0.0)
}

fn step(engine: &mut CpuEngine, shots: &Shots, rate: f32) -> StepStats {
    let given = shots.given(engine.field.targets.width());
    engine.step(&given.step(rate)).unwrap()
}

impl CpuEngine {
    /// The rays and targets of the last step.
    pub(in crate::engine) fn drawn(&self) -> (&[Ray], &[f32]) {
        (&self.rays, &self.targets)
    }
}
