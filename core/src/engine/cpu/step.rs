//! Phases of a training step.

use super::forward::start_rays;
use super::pool::{Pool, lock};
use super::rounds::RAY_BLOCK;
use super::tile::CAPACITY;
use super::{BatchEngine, GROUPS};
use crate::engine::{Marcher, Phases, Ray, StepInput, StepStats};
use rayon::prelude::*;
use std::time::Instant;

/// Samples per ray and round of training. Fewer find the surface sooner, more need fewer phases.
const ROUND: usize = 8;

/// Samples that a round should have at least, all rays together.
const ROUND_SAMPLES: usize = 8192;

impl BatchEngine {
    /// Draws the step's rays and finds the samples that count, in `self.finals`. Returns how many were encoded.
    fn draw(&mut self, input: &StepInput<'_>) -> usize {
        let width = self.field.objective.targets();
        self.rays.resize(input.rays, Ray::default());
        self.targets.resize(input.rays * width, 0.0);
        let blocks = self.rays.par_chunks_mut(RAY_BLOCK).zip(self.targets.par_chunks_mut(RAY_BLOCK * width));
        blocks.enumerate().for_each(|(block, (rays, targets))| {
            (0..rays.len()).for_each(|i| input.sampler.prefetch(block * RAY_BLOCK + i));
            for (i, (ray, target)) in rays.iter_mut().zip(targets.chunks_exact_mut(width)).enumerate() {
                *ray = input.sampler.ray(block * RAY_BLOCK + i, target);
            }
        });
        self.rounds.start(&self.rays);
        if self.field.min_transmittance > 0.0 {
            return self.march_to_surface(input.marcher);
        }
        // Nothing will be dropped: one round, and its tiles are the final ones.
        let tiles = self.rounds.march(&self.rays, input.marcher, CAPACITY, self.field.shrink);
        self.encode(tiles);
        std::mem::swap(&mut self.rounds.tiles, &mut self.finals);
        self.finals.samples()
    }

    /// Marches all rays to where less than the field's least transmittance is left, and leaves the samples that count,
    /// whole rays together, in `self.finals`. Returns the number of samples encoded.
    fn march_to_surface(&mut self, marcher: &dyn Marcher) -> usize {
        let mut budget = CAPACITY;
        while self.rounds.live() > 0 && budget > 0 {
            // A few rays that are left take longer steps: a phase should be worth its start.
            let limit = ROUND.max(ROUND_SAMPLES / self.rounds.live()).min(budget);
            let tiles = self.rounds.march(&self.rays, marcher, limit, self.field.shrink);
            self.encode(tiles.clone());
            self.probe(tiles);
            self.rounds.end_rays(self.field.min_transmittance);
            budget -= limit;
        }
        self.rounds.gather(&mut self.finals);
        self.rounds.tiles.samples()
    }

    /// Takes every tile through the stages and back; leaves gradients of the encodings in the tiles.
    fn stages(&mut self, rays: usize, colored: bool) -> (f64, [f64; 2], usize) {
        let codes = self.field.cameras.color.filter(|_| colored).map(|block| self.params.weight(block));
        let (field, workspaces) = (&self.field, &self.workspaces);
        let (batch, targets) = (&self.rays, &self.targets);
        let (rounds, stretches) = (&self.rounds.tiles, &self.rounds.stretches);
        let share = self.finals.len().div_ceil(GROUPS).max(1);
        let active = self.finals.len().div_ceil(share);
        let groups = self.groups.par_iter_mut();
        let tiles = self.finals.par_chunks_mut(share);
        tiles.zip(groups).with_max_len(1).for_each(|(tiles, group)| {
            let mut ws = lock(&workspaces[Pool::worker()]);
            group.grads.fill(0.0);
            (group.loss, group.spread, group.kept) = (0.0, [0.0; 2], 0);
            ws.share = 1.0 / rays as f32;
            for tile in tiles {
                match tile.stretches.clone() {
                    Some(range) => ws.collect(tile, field.input, &stretches[range], rounds),
                    None => ws.load(tile, field.input),
                }
                start_rays(&mut ws, batch);
                field.look_up_distances(&mut ws, targets);
                field.stages.iter().for_each(|s| s.forward(&mut ws));
                group.loss += field.loss(&mut ws, batch, targets, codes);
                ws.spread = [0.0; 2];
                let mut end = group.grads.len();
                for stage in field.stages.iter().rev() {
                    let start = end - stage.grads();
                    stage.backward(&mut ws, &mut group.grads[start..end]);
                    end = start;
                }
                ws.store(tile, field.input);
                (0..2).for_each(|i| group.spread[i] += ws.spread[i]);
                group.kept += ws.len;
            }
        });
        let done = &self.groups[..active];
        let spread = [0, 1].map(|i| done.iter().map(|g| g.spread[i]).sum());
        (done.iter().map(|g| g.loss).sum(), spread, done.iter().map(|g| g.kept).sum())
    }

    /// One step of gradient descent.
    pub(super) fn run_step(&mut self, input: &StepInput<'_>) -> StepStats {
        self.params.step += 1;
        self.progress = input.progress;
        let mut clock = Clock(Instant::now());
        self.prepare();
        let samples = self.draw(input);
        let hits = self.finals.iter().map(|t| t.spans.len()).sum();
        let empty = self.loss_of_empty_rays();
        let draw = clock.lap();
        let (loss, spread, kept) = self.stages(input.rays, true);
        self.update_cameras(input.pose_levels);
        let stages = clock.lap();
        self.update_dense(input.rate);
        let dense = clock.lap();
        let saliency = self.update_tables(input);
        let tables = clock.lap();
        let phases = Phases { draw, stages, dense, tables };
        let mean = 1.0 / input.rays.max(1) as f64;
        let (loss, spread) = ((loss + empty) * mean, spread.map(|s| s * mean));
        StepStats { rays: input.rays, hits, samples, kept, loss, spread, saliency, phases }
    }

    /// The gradients of the poses, and nothing is learnt.
    pub(super) fn run_trace(&mut self, input: &StepInput<'_>, out: &mut [[f64; 6]]) -> StepStats {
        self.progress = input.progress;
        self.prepare();
        let samples = self.draw(input);
        let (empty, (loss, _, kept)) = (self.loss_of_empty_rays(), self.stages(input.rays, false));
        out.fill([0.0; 6]);
        self.trace_poses(input.pose_levels, out);
        let loss = (loss + empty) / input.rays.max(1) as f64;
        StepStats { rays: input.rays, samples, kept, loss, ..StepStats::default() }
    }
}

struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> std::time::Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
    }
}
