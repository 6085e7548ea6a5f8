//! What a step and a picture work in: memory for rays and samples, grown when there are more.

use super::plan::Plan;
use crate::gpu::params::{LossScale, Samples};
use crate::gpu::{Address, Gpu, GpuError};

/// Samples of a ray in each round of training: a surface is found in the first ones, and what lies behind it is never
/// encoded. In all as many as on the processor.
pub(super) const ROUNDS: [u32; 4] = [16, 32, 64, 400];

/// Rays and samples that there is room for at first.
const FIRST_RAYS: usize = 4096;
const FIRST_SAMPLES: usize = 1 << 17;

/// The loss scale at first.
const FIRST_SCALE: f32 = 128.0;

/// Bytes of what the host writes before a step (see `StepInputs`), and of the counters with the ranges behind them.
pub(super) const STEP_BYTES: usize = 512;
pub(super) const OUTCOME_BYTES: usize = 128;

/// Device memory.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// Written before a step: its state, the groups' settings.
    pub step: Address,
    /// Zeroed before a step, read after it: counters, ranges of marched samples and of those that count, rays alive.
    pub outcome: Address,
    pub scale: Address,
    pub rays: Address,
    pub states: Address,
    pub targets: Address,
    pub output: Address,
    /// Of samples that are given: where each ray's end.
    pub ends: Address,
    pub most_rays: usize,
    starts: Address,
    counts: Address,
    pub t: Address,
    pub dt: Address,
    positions: Address,
    ray: Address,
    pub sigma: Address,
    pub features: Address,
    pub logits: Address,
    pub source: Address,
    pub shaded: Address,
    pub d_shaded: Address,
    pub d_features: Address,
    pub d_logits: Address,
    pub capacity: usize,
}

/// Bytes for every ray.
pub(super) fn ray_bytes(plan: &Plan) -> usize {
    36 + 20 + 4 * plan.target_columns as usize + 20 + 4 + 8 * ROUNDS.len()
}

/// Bytes for every sample.
pub(super) fn sample_bytes(plan: &Plan) -> usize {
    let features = plan.value() * (plan.shape.levels * plan.shape.level_features) as usize;
    let logits = if plan.shape.has_saliency == 1 { 8 } else { 0 };
    4 * 7 + 2 * features + logits + 4 + 32
}

impl Arena {
    /// Room for little.
    pub fn new(gpu: &mut dyn Gpu, plan: &Plan) -> Result<Self, GpuError> {
        let mut arena = Self {
            step: gpu.alloc(STEP_BYTES)?,
            outcome: gpu.alloc(OUTCOME_BYTES)?,
            scale: gpu.alloc(size_of::<LossScale>())?,
            ..Self::default()
        };
        arena.reset_scale(gpu, plan)?;
        arena.hold_rays(gpu, plan, FIRST_RAYS)?;
        arena.hold_samples(gpu, plan, FIRST_SAMPLES)?;
        Ok(arena)
    }

    /// The loss scale as at the start of a training.
    pub fn reset_scale(&self, gpu: &mut dyn Gpu, plan: &Plan) -> Result<(), GpuError> {
        let scale = LossScale { scale: if plan.half { FIRST_SCALE } else { 1.0 }, steps: 0 };
        gpu.upload(self.scale, bytemuck::bytes_of(&scale))
    }

    /// Makes room for so many rays. What was there is gone.
    pub fn hold_rays(&mut self, gpu: &mut dyn Gpu, plan: &Plan, rays: usize) -> Result<(), GpuError> {
        if rays <= self.most_rays {
            return Ok(());
        }
        let rays = rays.next_power_of_two();
        self.most_rays = 0;
        let columns = plan.target_columns as usize;
        for (at, bytes) in [
            (&mut self.rays, 36),
            (&mut self.states, 20),
            (&mut self.targets, 4 * columns),
            (&mut self.output, 20),
            (&mut self.ends, 4),
            (&mut self.starts, 4 * ROUNDS.len()),
            (&mut self.counts, 4 * ROUNDS.len()),
        ] {
            renew(gpu, at, rays * bytes)?;
        }
        self.most_rays = rays;
        Ok(())
    }

    /// Makes room for so many samples. What was there is gone.
    pub fn hold_samples(&mut self, gpu: &mut dyn Gpu, plan: &Plan, samples: usize) -> Result<(), GpuError> {
        if samples <= self.capacity {
            return Ok(());
        }
        // Whole tiles, and room to grow by a quarter.
        let samples = (samples + samples / 4).next_multiple_of(1024);
        self.capacity = 0;
        let features = plan.value() * (plan.shape.levels * plan.shape.level_features) as usize;
        let logit = if plan.shape.has_saliency == 1 { 4 } else { 0 };
        for (at, bytes) in [
            (&mut self.t, 4),
            (&mut self.dt, 4),
            (&mut self.positions, 12),
            (&mut self.ray, 4),
            (&mut self.sigma, 4),
            (&mut self.features, features),
            (&mut self.logits, logit),
            (&mut self.source, 4),
            (&mut self.shaded, 16),
            (&mut self.d_shaded, 16),
            (&mut self.d_features, features),
            (&mut self.d_logits, logit),
        ] {
            renew(gpu, at, samples * bytes)?;
        }
        self.capacity = samples;
        Ok(())
    }

    /// The samples, as kernels take them.
    pub fn samples(&self) -> Samples {
        Samples {
            t: self.t,
            dt: self.dt,
            positions: self.positions,
            ray: self.ray,
            capacity: self.capacity as u64,
            starts: self.starts,
            counts: self.counts,
            most_rays: self.most_rays as u32,
            pad: 0,
        }
    }

    /// Where the directions' gradients go, `[sample][4]`: on the way back nobody reads what was shaded.
    pub fn d_directions(&self) -> Address {
        self.shaded
    }

    /// Where the positions' gradients go, `[sample][4]`: behind the networks nobody reads the gradient of what was shaded.
    pub fn d_positions(&self) -> Address {
        self.d_shaded
    }

    /// Where positions are, axis by axis, `capacity` values apart.
    pub fn positions(&self) -> Address {
        self.positions
    }
}

fn renew(gpu: &mut dyn Gpu, at: &mut Address, bytes: usize) -> Result<(), GpuError> {
    gpu.free(std::mem::take(at));
    if bytes > 0 {
        *at = gpu.alloc(bytes)?;
    }
    Ok(())
}
