//! The batch engine against the f64 field: a small Instant-NGP field on rays whose samples are given.
#![allow(clippy::unwrap_used)]

mod cameras;
mod determinism;
mod edges;
mod gradients;
mod inference;
mod oracle;
mod precision;
mod shots;

use super::stages::{Composite, Density, Directions, Mlp, MlpShape, Saliency, Spread, ZeroSkip};
use super::*;
use crate::engine::{Live, Objective, Sampler, Samples, Staged};
use crate::ops::check::TestRng;
use crate::ops::distortion::Scale;
use crate::ops::hash_grid::HashGridConfig;
use crate::params::{BlockSpec, Group, Params};
use crate::simd::Isa;
use shots::{CAMERAS, Shots};

/// Extents of a field; the default is small but has dense and hashed levels and the usual networks.
#[derive(Clone, Debug)]
struct Setup {
    grid: HashGridConfig,
    width: usize,
    density_layers: usize,
    color_layers: usize,
    geometry: usize,
    harmonics: usize,
    /// Where rays end: 0 for never.
    min_transmittance: f32,
    /// Rays are marched in rounds, up to there; otherwise the density stage drops what lies behind it.
    rounds: bool,
    box_side: f32,
    sparse: bool,
    betas: [f32; 2],
    average: Option<f32>,
    /// Logits per axis of the saliency grid.
    saliency: Option<usize>,
    /// alpha of the density's gate.
    gate: Option<f32>,
    /// The color network does not see the raw density, which is the last output then.
    hidden: bool,
    /// Size of the tables' values.
    size: f32,
    /// Poses and colors of the cameras are learnt.
    pose: bool,
    colors: bool,
    /// Weights of distortion and deviation.
    spread: [f32; 2],
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
    fn field(&self) -> (Params, FieldLayout) {
        let mut params = Params::default();
        let group = |name, sparse| Group { sparse, betas: self.betas, ..Group::new(name) };
        let tables = params.group(group("grid", self.sparse));
        let networks = params.group(group("mlp", false));
        let random =
            |block: u32, i: u32| TestRng::new(u64::from(block) << 32 | u64::from(i)).uniform(0.0, 1.0) as f32;
        let levels = self.grid.levels().unwrap();
        for (l, level) in levels.iter().enumerate() {
            let shape = vec![level.entries, level.features];
            let spec = BlockSpec { name: format!("grid.{l:02}"), shape, group: tables };
            params.block(spec, |i| self.size * (2.0 * random(l as u32, i as u32) - 1.0));
        }
        let grid = GridBlocks { blocks: 0..levels.len(), levels, features: self.grid.features };
        let mut plan = Plan::default();
        let input = plan.slot(self.grid.outputs());
        let scaled = if self.saliency.is_some() { plan.slot(self.grid.outputs()) } else { input };
        let (geometry, harmonics, color) =
            (plan.slot(self.geometry), plan.slot(self.harmonics), plan.slot(3));
        let shape = MlpShape {
            ray_inputs: 0,
            inputs: self.grid.outputs(),
            width: self.width,
            hidden: self.density_layers,
            outputs: self.geometry,
        };
        let density = Mlp::new(
            "density",
            shape,
            None,
            scaled,
            geometry,
            true,
            &mut plan,
            &mut params,
            networks,
            &random,
        );
        let shape = MlpShape {
            ray_inputs: self.harmonics,
            inputs: self.geometry - usize::from(self.hidden),
            hidden: self.color_layers,
            outputs: 3,
            ..shape
        };
        let rows = density.rows();
        let colors = Mlp::new(
            "color",
            shape,
            Some(harmonics),
            geometry,
            color,
            true,
            &mut plan,
            &mut params,
            networks,
            &random,
        )
        .with_ray_gradient(self.pose);
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        if scaled != input {
            stages.push(Box::new(Saliency { input, output: scaled }));
        }
        if let Some(alpha) = self.gate {
            // Half of it first: the steps here are at progress 1.
            stages.push(Box::new(ZeroSkip::new(scaled, [0.5 * alpha, alpha], 0.5, 0.2)));
        }
        let column = if self.hidden { self.geometry - 1 } else { 0 };
        let gated = self.gate.is_some();
        stages.push(Box::new(density));
        stages.push(Box::new(Density {
            input: geometry,
            rows,
            min_transmittance: self.min_transmittance,
            column,
            gated,
        }));
        stages.push(Box::new(Directions { output: harmonics, gradient: self.pose }));
        stages.push(Box::new(colors));
        let scale = Scale::new(KNEE, 1.0);
        let spread = Spread { distortion: self.spread[0], depth: self.spread[1], scale };
        stages.push(Box::new(Composite { input: color, channels: 3, spread }));
        let mut rows = |name: &str, columns: usize, size: f32| {
            let spec = BlockSpec { name: name.into(), shape: vec![CAMERAS, columns], group: networks };
            let stream = params.blocks().len() as u32;
            params.block(spec, |i| size * (2.0 * random(stream, i as u32) - 1.0))
        };
        let pose = self.pose.then(|| rows("pose", 6, 0.1));
        let color = self.colors.then(|| rows("colors", 12, 0.3));
        let cameras = CameraBlocks { pose, color };
        let saliency = self.saliency.map(|side| {
            let spec = BlockSpec { name: "saliency".into(), shape: vec![side; 3], group: networks };
            let block = params.block(spec, |i| 6.0 * random(99, i as u32) - 3.0);
            SaliencyBlock { side, block, limit: 10.0 }
        });
        if let Some(decay) = self.average {
            params.average(decay);
        }
        let depth = self.spread[1] > 0.0;
        let (objective, shrink) = (Box::new(Mse { depth }), 1.0 / self.box_side);
        let min_transmittance = if self.rounds { self.min_transmittance } else { 0.0 };
        (
            params,
            FieldLayout {
                grid,
                saliency,
                cameras,
                input,
                stages,
                plan,
                channels: 3,
                objective,
                min_transmittance,
                shrink,
            },
        )
    }

    fn engine(&self, isa: Isa, threads: usize) -> BatchEngine {
        let (params, field) = self.field();
        BatchEngine::new(isa, Pool::new(threads).unwrap(), params, field)
    }
}

/// Mean square difference over red, green and blue, both sides on the target's background.
struct Mse {
    depth: bool,
}

impl Objective for Mse {
    fn targets(&self) -> usize {
        if self.depth { 8 } else { 7 }
    }

    fn distance(&self) -> Option<usize> {
        self.depth.then_some(7)
    }

    fn loss(&self, out: &[f32], target: &[f32], d_out: &mut [f32]) -> f32 {
        let (alpha, background) = (target[3], &target[4..7]);
        d_out.fill(0.0);
        let mut loss = 0.0;
        for c in 0..3 {
            let through = (1.0 - out[4]) * background[c];
            let error = out[c] + through - alpha * target[c] - (1.0 - alpha) * background[c];
            loss += error * error / 3.0;
            d_out[c] = 2.0 * error / 3.0;
            d_out[4] -= d_out[c] * background[c];
        }
        loss
    }
}

fn step(engine: &mut BatchEngine, shots: &Shots, rate: f32) -> StepStats {
    let rays = shots.len();
    let (pruning, pose_levels) = (Some(0.0), usize::MAX);
    engine.step(&StepInput {
        sampler: shots,
        marcher: shots,
        rays,
        rate,
        progress: 1.0,
        pruning,
        pose_levels,
    })
}
