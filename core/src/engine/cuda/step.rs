//! One step: what the host writes, the row of kernels, what the host reads.

use super::CudaEngine;
use super::arena::{Arena, OUTCOME_BYTES, STEP_BYTES};
use crate::engine::calls::check_batch;
use crate::engine::step::{Background, Batch, SampleSource, Step, StepStats};
use crate::engine::{EngineError, Phases};
use crate::gpu::Address;
use crate::gpu::params::{AdamState, Counters, Range, StepState};
use crate::ops::march::MOST_SAMPLES;
use bytemuck::{Pod, Zeroable};
use std::time::Instant;

/// Groups of parameters, at most.
const GROUPS: usize = 8;

/// What the host writes before a step.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
struct StepInputs {
    state: StepState,
    groups: [AdamState; GROUPS],
}

/// What the host reads after it.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Outcome {
    pub counters: Counters,
    marched: Range,
    kept: Range,
    alive: u32,
    pad: u32,
}

const _: () = assert!(size_of::<StepInputs>() <= STEP_BYTES && size_of::<Outcome>() <= OUTCOME_BYTES);

impl Arena {
    pub fn state(&self) -> Address {
        self.step
    }

    pub fn group(&self, group: usize) -> Address {
        self.step.offset(std::mem::offset_of!(StepInputs, groups) + group * size_of::<AdamState>())
    }

    pub fn counters(&self) -> Address {
        self.outcome
    }

    pub fn marched(&self) -> Address {
        self.outcome.offset(std::mem::offset_of!(Outcome, marched))
    }

    pub fn kept(&self) -> Address {
        self.outcome.offset(std::mem::offset_of!(Outcome, kept))
    }

    pub fn alive(&self) -> Address {
        self.outcome.offset(std::mem::offset_of!(Outcome, alive))
    }
}

impl CudaEngine<'_> {
    /// Writes what a step, or a look at the field, starts from, and zeroes what it counts.
    pub(super) fn begin(&mut self, state: StepState, rate: f32) -> Result<(), EngineError> {
        let mut inputs = StepInputs { state, ..StepInputs::default() };
        if self.groups.len() > GROUPS {
            return Err(EngineError::Input(format!("{} groups of parameters", self.groups.len())));
        }
        for (to, group) in inputs.groups.iter_mut().zip(&self.groups) {
            let adam = group.adam(rate);
            let folded = adam.fold(self.step.max(1));
            *to = AdamState {
                rate: folded.rate,
                eps: folded.eps,
                keep: folded.keep,
                beta1: adam.betas[0],
                beta2: adam.betas[1],
                frozen: group.settings.frozen.into(),
            };
        }
        self.gpu.upload(self.arena.step, bytemuck::bytes_of(&inputs))?;
        Ok(self.gpu.clear(self.arena.outcome, OUTCOME_BYTES)?)
    }

    pub(super) fn outcome(&self) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome::default();
        self.gpu.download(self.arena.outcome, bytemuck::bytes_of_mut(&mut outcome))?;
        Ok(outcome)
    }

    /// Refuses a batch that is not this field's, or of more cameras than there is room for.
    pub(super) fn check(&self, batch: &Batch<'_>, cameras: usize) -> Result<(), EngineError> {
        // Samples are counted in 32 bits.
        let samples = match batch {
            Batch::Given { samples: SampleSource::Given(given), .. } => given.len(),
            _ => batch.rays() * MOST_SAMPLES,
        };
        if u32::try_from(samples).is_err() {
            let reason =
                format!("{} rays in one step: up to {samples} samples, and CUDA takes 2^32", batch.rays());
            return Err(EngineError::Input(reason));
        }
        let held = |id| self.views.get(id).map(|views| views.count);
        check_batch(batch, self.plan.target_columns as usize, held, cameras)
    }

    /// One step of gradient descent.
    pub(super) fn run_step(&mut self, step: &Step<'_>) -> Result<StepStats, EngineError> {
        let learns = self.store.poses.is_some() || self.store.colors.is_some();
        self.check(&step.batch, if learns { self.spec.cameras.count } else { usize::MAX })?;
        let started = Instant::now();
        let rays = step.batch.rays();
        self.step += 1;
        self.enter(step)?;
        self.learn(step, rays)?;
        let outcome = self.outcome()?;
        self.note(step, rays, &outcome, started)
    }

    /// Begins a step and finds its samples.
    pub(super) fn enter(&mut self, step: &Step<'_>) -> Result<(), EngineError> {
        let rays = step.batch.rays();
        self.progress = step.progress;
        self.arena.hold_rays(&mut *self.gpu, &self.plan, rays)?;
        let mut state = StepState {
            rays: rays as u32,
            gate_alpha: self.plan.gate_alpha(step.progress),
            min_transmittance: self.spec.min_transmittance,
            pruning: step.pruning.unwrap_or(0.0),
            prunes: step.pruning.is_some().into(),
            ..StepState::default()
        };
        if let Batch::Drawn(draw) = &step.batch {
            (state.seed, state.step, state.point_share) = (draw.key.seed, draw.key.step, draw.point_share);
            match draw.background {
                Background::Random => state.random_background = 1,
                Background::Color(color) => state.background = color,
            }
        }
        self.begin(state, step.rate)?;
        let samples = match &step.batch {
            Batch::Drawn(draw) => {
                self.draw(draw)?;
                SampleSource::Space(draw.space)
            }
            Batch::Given { rays, targets, samples } => {
                self.give_rays(rays)?;
                self.gpu.upload(self.arena.targets, bytemuck::cast_slice(targets))?;
                *samples
            }
        };
        self.find_samples(&samples, rays)
    }

    /// Makes statistics of what a step has come to, and room for the next one.
    pub(super) fn note(
        &mut self,
        step: &Step<'_>,
        rays: usize,
        outcome: &Outcome,
        started: Instant,
    ) -> Result<StepStats, EngineError> {
        let counters = &outcome.counters;
        // The end of the range counts on beyond the room that there is.
        if outcome.marched.end as usize > self.arena.capacity && !matches!(step.batch, Batch::Given { .. }) {
            self.arena.hold_samples(&mut *self.gpu, &self.plan, outcome.marched.end as usize)?;
        }
        let taken = rays.saturating_sub(counters.crowded_out as usize);
        let mean = |sum: f64| sum / taken.max(1) as f64;
        let loss = mean(counters.loss);
        self.losses = vec![loss];
        let cells = self.store.saliency.as_ref().map_or(1, |piece| piece.count.max(1));
        Ok(StepStats {
            rays,
            hits: counters.hits as usize,
            samples: counters.samples as usize,
            kept: counters.kept as usize,
            loss: f64::from(self.plan.weight) * loss,
            spread: [mean(counters.distortion), mean(counters.deviation)],
            saliency: counters.saliency / cells as f64,
            phases: Phases { stages: started.elapsed(), ..Phases::default() },
        })
    }
}
