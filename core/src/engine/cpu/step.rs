//! Phases of a training step.

use super::draw::{Drawn, Views};
use super::loss::Compared;
use super::pool::{Pool, lock};
use super::rounds::RAY_BLOCK;
use super::samples::Source;
use super::tile::CAPACITY;
use super::{CpuEngine, GROUPS};
use crate::engine::calls::check_batch;
use crate::engine::{Batch, EngineError, Phases, SampleSource, Step, StepStats};
use crate::ops::march::Ray;
use rayon::prelude::*;
use std::time::Instant;

/// Samples per ray and round of training. Fewer find the surface sooner, more need fewer phases.
const ROUND: usize = 8;

/// Samples that a round should have at least, all rays together.
const ROUND_SAMPLES: usize = 8192;

/// What a pass over the rays has come to.
struct Pass {
    spread: [f64; 2],
    kept: usize,
}

impl CpuEngine {
    /// Refuses a batch that is not this field's, or of more cameras than there is room for.
    pub(super) fn check(&self, batch: &Batch<'_>, cameras: usize) -> Result<(), EngineError> {
        check_batch(batch, self.field.targets.width(), |id| self.views.get(id).map(Views::len), cameras)
    }

    /// Draws the step's rays and finds the samples that count, in `self.finals`. Returns how many were encoded.
    fn draw(&mut self, batch: &Batch<'_>) -> usize {
        let width = self.field.targets.width();
        self.rays.resize(batch.rays(), Ray::default());
        self.targets.resize(batch.rays() * width, 0.0);
        let samples = match batch {
            Batch::Given { rays, targets, samples } => {
                self.rays.copy_from_slice(rays);
                self.targets.copy_from_slice(targets);
                *samples
            }
            Batch::Drawn(draw) => {
                let learnt = self.field.poses.map(|block| self.params.weight(block));
                let Some(views) = self.views.get_mut(draw.views) else { return 0 };
                views.place(draw.poses, learnt);
                let (views, field) = (&*views, &self.field);
                let drawn = Drawn::new(views, field, draw);
                let blocks =
                    self.rays.par_chunks_mut(RAY_BLOCK).zip(self.targets.par_chunks_mut(RAY_BLOCK * width));
                blocks.enumerate().for_each(|(block, (rays, targets))| {
                    (0..rays.len()).for_each(|i| drawn.prefetch(block * RAY_BLOCK + i));
                    for (i, (ray, target)) in rays.iter_mut().zip(targets.chunks_exact_mut(width)).enumerate()
                    {
                        *ray = drawn.ray(block * RAY_BLOCK + i, target);
                    }
                });
                SampleSource::Space(draw.space)
            }
        };
        let source = Source { isa: self.isa, samples, first: 0 };
        self.rounds.start(&self.rays);
        if self.field.min_transmittance > 0.0 {
            return self.march_to_surface(&source);
        }
        // Nothing will be dropped: one round, and its tiles are the final ones.
        let tiles = self.rounds.march(&self.rays, &source, CAPACITY, self.field.shrink);
        self.encode(tiles);
        std::mem::swap(&mut self.rounds.tiles, &mut self.finals);
        self.finals.samples()
    }

    /// Marches all rays to where less than the field's least transmittance is left, and leaves the samples that count,
    /// whole rays together, in `self.finals`. Returns the number of samples encoded.
    fn march_to_surface(&mut self, source: &Source<'_>) -> usize {
        let mut budget = CAPACITY;
        while self.rounds.live() > 0 && budget > 0 {
            // A few rays that are left take longer steps: a phase should be worth its start.
            let limit = ROUND.max(ROUND_SAMPLES / self.rounds.live()).min(budget);
            let tiles = self.rounds.march(&self.rays, source, limit, self.field.shrink);
            self.encode(tiles.clone());
            self.probe(tiles);
            self.rounds.end_rays(self.field.min_transmittance);
            budget -= limit;
        }
        self.rounds.gather(&mut self.finals);
        self.rounds.tiles.samples()
    }

    /// Takes every tile through the stages and back; leaves gradients of the encodings in the tiles, and the heads'
    /// losses in `self.losses`, summed over the rays.
    fn stages(&mut self, colored: bool) -> Pass {
        let codes = self.field.colors.filter(|_| colored).map(|block| self.params.weight(block));
        let (field, workspaces) = (&self.field, &self.workspaces);
        let compared = Compared { rays: &self.rays, targets: &self.targets, codes };
        let (rounds, stretches) = (&self.rounds.tiles, &self.rounds.stretches);
        let share = self.finals.len().div_ceil(GROUPS).max(1);
        let active = self.finals.len().div_ceil(share);
        let groups = self.groups.par_iter_mut();
        let tiles = self.finals.par_chunks_mut(share);
        tiles.zip(groups).with_max_len(1).for_each(|(tiles, group)| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            group.grads.fill(0.0);
            group.losses.fill(0.0);
            (group.spread, group.kept) = ([0.0; 2], 0);
            ws.share = 1.0 / compared.rays.len() as f32;
            for tile in tiles {
                match tile.stretches.clone() {
                    Some(range) => ws.gather(tile, &stretches[range], rounds),
                    None => ws.load(tile, &field.encoder),
                }
                ws.start_rays(compared.rays);
                field.look_up_distances(ws, compared.targets);
                field.stages.iter().for_each(|s| s.forward(ws));
                field.loss(ws, compared);
                group.losses.iter_mut().zip(&ws.losses).for_each(|(sum, loss)| *sum += loss);
                field.cleared.iter().for_each(|slot| ws.slots[*slot].clear_grad(ws.len));
                ws.spread = [0.0; 2];
                let mut end = group.grads.len();
                for stage in field.stages.iter().rev() {
                    let start = end - stage.grads();
                    stage.backward(ws, &mut group.grads[start..end]);
                    end = start;
                }
                ws.store(tile, &field.encoder, field.traces_rays);
                (0..2).for_each(|i| group.spread[i] += ws.spread[i]);
                group.kept += ws.len;
            }
        });
        let done = &self.groups[..active];
        for (head, loss) in self.losses.iter_mut().enumerate() {
            *loss = done.iter().map(|g| g.losses[head]).sum();
        }
        let spread = [0, 1].map(|i| done.iter().map(|g| g.spread[i]).sum());
        Pass { spread, kept: done.iter().map(|g| g.kept).sum() }
    }

    /// Adds the loss of rays that met nothing, makes means of the heads' losses, and gives their weighted sum.
    fn mean_loss(&mut self) -> f64 {
        self.add_loss_of_empty_rays();
        let share = 1.0 / self.rays.len().max(1) as f64;
        self.losses.iter_mut().for_each(|loss| *loss *= share);
        self.field.heads.iter().zip(&self.losses).map(|(head, loss)| f64::from(head.weight) * loss).sum()
    }

    /// One step of gradient descent.
    pub(super) fn run_step(&mut self, step: &Step<'_>) -> StepStats {
        self.params.step += 1;
        self.progress = step.progress;
        let mut clock = Clock(Instant::now());
        self.prepare();
        let samples = self.draw(&step.batch);
        let hits = self.finals.iter().map(|t| t.spans.len()).sum();
        let draw = clock.lap();
        let Pass { spread, kept } = self.stages(true);
        let loss = self.mean_loss();
        self.update_cameras(step.pose_levels);
        let stages = clock.lap();
        self.update_dense(step.rate);
        let dense = clock.lap();
        let saliency = self.update_tables(step);
        let tables = clock.lap();
        let phases = Phases { draw, stages, dense, tables };
        let (rays, mean) = (self.rays.len(), 1.0 / self.rays.len().max(1) as f64);
        let spread = spread.map(|s| s * mean);
        StepStats { rays, hits, samples, kept, loss, spread, saliency, phases }
    }

    /// The gradients of the poses, and nothing is learned.
    pub(super) fn run_trace(&mut self, step: &Step<'_>, out: &mut [[f64; 6]]) -> StepStats {
        self.progress = step.progress;
        self.prepare();
        let samples = self.draw(&step.batch);
        let Pass { kept, .. } = self.stages(false);
        let loss = self.mean_loss();
        out.fill([0.0; 6]);
        self.trace_poses(step.pose_levels, out);
        StepStats { rays: self.rays.len(), samples, kept, loss, ..StepStats::default() }
    }
}

struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> std::time::Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
    }
}
