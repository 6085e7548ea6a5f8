//! Phases of a training step.

use super::layout::FieldLayout;
use super::rounds::{Place, Stretch};
use super::sampler::{Live, Staged};
use super::step::{Phases, StepInput, StepStats};
use super::tile::{CAPACITY, Tile};
use super::{Marcher, Pool, Ray, TrainEngine, Workspace};
use crate::ops::affine_color;
use crate::ops::composite::{Carry, EXTRA};
use crate::ops::small_gemm::Precision;
use crate::params::{Params, Values, zeros};
use crate::simd::Isa;
use rayon::prelude::*;
use std::sync::Mutex;
use std::time::Instant;

/// Gradient sums per step: tiles are dealt to this many groups whatever the number of threads.
pub(super) const GROUPS: usize = 32;

/// Rays that are marched by one task.
pub(super) const RAY_BLOCK: usize = 64;

/// The engine's state. See the [module](super) for the phases.
pub struct BatchEngine {
    pub(super) isa: Isa,
    pub(super) precision: Precision,
    pub(super) pool: Pool,
    pub(super) params: Params,
    pub(super) field: FieldLayout,
    pub(super) progress: f64,
    pub(super) rays: Vec<Ray>,
    targets: Vec<f32>,
    pub(super) staged: Vec<Staged>,
    /// Tiles of the rounds, and of inference.
    pub(super) tiles: Vec<Tile>,
    /// Tiles of whole rays with the samples that count.
    pub(super) finals: Vec<Tile>,
    /// Tiles in use: of `tiles` while marching, of `finals` afterwards.
    pub(super) used: usize,
    pub(super) live: Vec<Live>,
    /// Per ray: what gets through so far.
    pub(super) through: Vec<f32>,
    pub(super) places: Vec<Place>,
    pub(super) stretches: Vec<Stretch>,
    /// Room to sort them in.
    pub(super) sorted: Vec<Stretch>,
    /// Per ray: where its stretches go.
    pub(super) starts: Vec<u32>,
    pub(super) workspaces: Vec<Mutex<Workspace>>,
    pub(super) groups: Vec<Group>,
    pub(super) tables: Vec<Mutex<Values>>,
    /// Room for sums and gradients of what is learnt about cameras.
    pub(super) poses: Vec<[f64; 6]>,
    pub(super) colors: Vec<f64>,
    pub(super) gradient: Vec<f32>,
}

/// One group of tiles: its gradient sums and statistics.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) grads: Vec<f32>,
    loss: f64,
    spread: [f64; 2],
    kept: usize,
}

impl BatchEngine {
    /// An engine for `field` over `params` on the workers of `pool`.
    ///
    /// # Panics
    /// If the field has a saliency grid that is not the parameters' last block, or learns colors and has not three
    /// channels.
    pub fn new(isa: Isa, pool: Pool, params: Params, field: FieldLayout) -> Self {
        let last = params.blocks().len().checked_sub(1);
        assert!(
            field.saliency.is_none_or(|s| Some(s.block) == last),
            "the saliency grid is not the last block"
        );
        assert!(field.cameras.color.is_none() || field.channels == 3, "colors are three channels");
        let outputs = field.channels + EXTRA;
        let per_worker = |_| Mutex::new(Workspace::new(isa, &field.plan, outputs));
        let workspaces = (0..pool.threads()).map(per_worker).collect();
        let largest = field.grid.levels.iter().map(|l| l.entries * l.features).max().unwrap_or(0);
        let tables = (0..pool.threads()).map(|_| Mutex::new(zeros(largest))).collect();
        let grads = field.stages.iter().map(|s| s.grads()).sum();
        let groups = (0..GROUPS).map(|_| Group { grads: vec![0.0; grads], ..Group::default() }).collect();
        Self {
            isa,
            precision: Precision::F32,
            pool,
            params,
            field,
            progress: 0.0,
            rays: Vec::new(),
            targets: Vec::new(),
            staged: Vec::new(),
            tiles: Vec::new(),
            finals: Vec::new(),
            used: 0,
            live: Vec::new(),
            through: Vec::new(),
            places: Vec::new(),
            stretches: Vec::new(),
            sorted: Vec::new(),
            starts: Vec::new(),
            workspaces,
            groups,
            tables,
            poses: Vec::new(),
            colors: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// The same engine with products of this precision.
    ///
    /// # Panics
    /// If it is not [available](Precision::available).
    pub fn with_precision(mut self, precision: Precision) -> Self {
        assert!(precision.available(), "{precision:?} products are not available on this CPU");
        self.precision = precision;
        self.workspaces.iter().for_each(|ws| lock(ws).precision = precision);
        self
    }

    /// Draws the step's rays and finds the samples that count, in `self.finals`. Returns how many were encoded.
    fn draw(&mut self, input: &StepInput<'_>) -> usize {
        let width = self.field.objective.targets();
        self.rays.resize(input.rays, Ray::default());
        self.targets.resize(input.rays * width, 0.0);
        let blocks = self.rays.par_chunks_mut(RAY_BLOCK).zip(self.targets.par_chunks_mut(RAY_BLOCK * width));
        blocks.enumerate().for_each(|(block, (rays, targets))| {
            (0..rays.len()).for_each(|i| input.sampler.expect(block * RAY_BLOCK + i));
            for (i, (ray, target)) in rays.iter_mut().zip(targets.chunks_exact_mut(width)).enumerate() {
                *ray = input.sampler.ray(block * RAY_BLOCK + i, target);
            }
        });
        self.used = 0;
        let mut live = self.set_out();
        let samples = if self.field.cut > 0.0 {
            self.march_to_surface(&mut live, input.marcher, self.field.cut)
        } else {
            // Nothing will be dropped: one round, and its tiles are the final ones.
            let tiles = self.march_round(&mut live, input.marcher, CAPACITY);
            self.encode(tiles);
            std::mem::swap(&mut self.tiles, &mut self.finals);
            self.finals[..self.used].iter().map(|t| t.len).sum()
        };
        self.live = live;
        samples
    }

    /// The loss of rays that met no occupied cell: their output is empty.
    fn grade_empty(&mut self) -> f64 {
        let objective = &self.field.objective;
        let (width, outputs) = (objective.targets(), self.field.channels + EXTRA);
        self.through.fill(1.0);
        for span in self.finals[..self.used].iter().flat_map(|t| &t.spans) {
            self.through[span.ray as usize] = 0.0;
        }
        let (out, mut d_out) = ([0.0; 16], [0.0; 16]);
        let rays = self.through.iter().zip(self.targets.chunks_exact(width)).filter(|(t, _)| **t == 1.0);
        rays.map(|(_, target)| f64::from(objective.loss(&out[..outputs], target, &mut d_out[..outputs])))
            .sum()
    }

    /// Takes every tile through the stages and back; leaves gradients of the encodings in the tiles.
    fn stages(&mut self, rays: usize, colored: bool) -> (f64, [f64; 2], usize) {
        let codes = self.field.cameras.color.filter(|_| colored).map(|block| self.params.weight(block));
        let (field, workspaces) = (&self.field, &self.workspaces);
        let (batch, targets) = (&self.rays, &self.targets);
        let (rounds, stretches) = (&self.tiles, &self.stretches);
        let share = self.used.div_ceil(GROUPS).max(1);
        let groups = self.groups.par_iter_mut();
        let tiles = self.finals[..self.used].par_chunks_mut(share);
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
                enter(&mut ws, batch);
                field.expect_distances(&mut ws, targets);
                field.stages.iter().for_each(|s| s.forward(&mut ws));
                group.loss += field.grade(&mut ws, batch, targets, codes);
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
        let active = self.used.div_ceil(share);
        let done = &self.groups[..active];
        let spread = [0, 1].map(|i| done.iter().map(|g| g.spread[i]).sum());
        (done.iter().map(|g| g.loss).sum(), spread, done.iter().map(|g| g.kept).sum())
    }

    fn run_step(&mut self, input: &StepInput<'_>) -> StepStats {
        self.params.step += 1;
        self.progress = input.progress;
        let mut clock = Clock(Instant::now());
        self.prepare();
        let samples = self.draw(input);
        let hits = self.finals[..self.used].iter().map(|t| t.spans.len()).sum();
        let empty = self.grade_empty();
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
}

impl FieldLayout {
    /// The known distances of the tile's rays, for the stages.
    fn expect_distances(&self, ws: &mut Workspace, targets: &[f32]) {
        let width = self.objective.targets();
        ws.distance.clear();
        if let Some(column) = self.objective.distance() {
            ws.distance.extend(ws.spans.iter().map(|span| targets[span.ray as usize * width + column]));
        }
    }

    /// The loss of the tile's rays, whose cameras show their colors by `codes`; leaves its gradient in the workspace,
    /// divided by the number of rays.
    fn grade(&self, ws: &mut Workspace, rays: &[Ray], targets: &[f32], codes: Option<&[f32]>) -> f64 {
        let (width, outputs) = (self.objective.targets(), self.channels + EXTRA);
        let scale = ws.share;
        let mut sum = 0.0;
        ws.d_color.clear();
        for (i, span) in ws.spans.iter().enumerate() {
            let out = &ws.out[i * outputs..(i + 1) * outputs];
            let d_out = &mut ws.d_out[i * outputs..(i + 1) * outputs];
            let target = &targets[span.ray as usize * width..(span.ray as usize + 1) * width];
            let Some((codes, _)) = codes.map(<[f32]>::as_chunks) else {
                sum += f64::from(self.objective.loss(out, target, d_out));
                d_out.iter_mut().for_each(|d| *d *= scale);
                continue;
            };
            let code = &codes[rays[span.ray as usize].camera as usize];
            let (color, opacity) = ([out[0], out[1], out[2]], out[4]);
            let [r, g, b] = affine_color::forward(code, color, opacity);
            sum += f64::from(self.objective.loss(&[r, g, b, out[3], opacity], target, d_out));
            d_out.iter_mut().for_each(|d| *d *= scale);
            let mut d_code = [0.0; affine_color::VALUES];
            let shown = [d_out[0], d_out[1], d_out[2]];
            let (d_color, d_opacity) = affine_color::backward(code, color, opacity, shown, &mut d_code);
            d_out[..3].copy_from_slice(&d_color);
            d_out[4] += d_opacity;
            ws.d_color.push(d_code);
        }
        sum
    }
}

/// Looks up the tile's rays in the batch; nothing has been seen along them yet.
pub(super) fn enter(ws: &mut Workspace, rays: &[Ray]) {
    ws.direction.clear();
    ws.direction.extend(ws.spans.iter().map(|s| rays[s.ray as usize].direction));
    ws.d_direction.clear();
    ws.carry.clear();
    ws.carry.resize(ws.spans.len(), Carry::default());
}

/// Locks what only one worker uses at a time. A worker that panicked has ended the run.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> std::time::Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
    }
}

impl TrainEngine for BatchEngine {
    fn step(&mut self, input: &StepInput<'_>) -> StepStats {
        let pool = self.pool.clone();
        pool.run(|| self.run_step(input))
    }

    fn trace(&mut self, input: &StepInput<'_>, out: &mut [[f64; 6]]) -> StepStats {
        let pool = self.pool.clone();
        pool.run(|| {
            self.progress = input.progress;
            self.prepare();
            let samples = self.draw(input);
            let (empty, (loss, _, kept)) = (self.grade_empty(), self.stages(input.rays, false));
            out.fill([0.0; 6]);
            self.trace_poses(input.pose_levels, out);
            let loss = (loss + empty) / input.rays.max(1) as f64;
            StepStats { rays: input.rays, samples, kept, loss, ..StepStats::default() }
        })
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn set_progress(&mut self, progress: f64) {
        self.progress = progress;
    }

    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    fn density(&mut self, positions: [&[f32]; 3], out: &mut [f32]) {
        let pool = self.pool.clone();
        pool.run(|| self.densities(positions, out));
    }

    fn render(&mut self, rays: &[Ray], marcher: &dyn Marcher, cut: f32, out: &mut [f32]) {
        let pool = self.pool.clone();
        pool.run(|| self.rounds(rays, marcher, cut, out));
    }
}
