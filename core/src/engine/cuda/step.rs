//! One step: what the host writes, the row of kernels, what the host reads.

use super::arena::{Arena, OUTCOME_BYTES, ROUNDS, STEP_BYTES};
use super::{CudaEngine, Occupied, blocks};
use crate::engine::step::{
    Background, Batch, Draw, GivenSamples, Poses, SampleSource, Space, Step, StepStats,
};
use crate::engine::{EngineError, Phases};
use crate::gpu::params::{self, *};
use crate::gpu::{Address, Kernel, launch};
use crate::ops::march::{MOST_SAMPLES, Ray as MarchRay};
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
struct Outcome {
    counters: Counters,
    marched: Range,
    kept: Range,
    alive: u32,
    pad: u32,
}

const _: () = assert!(size_of::<StepInputs>() <= STEP_BYTES && size_of::<Outcome>() <= OUTCOME_BYTES);

/// Refuses samples of other rays.
pub(super) fn check_samples(samples: &SampleSource<'_>, rays: usize) -> Result<(), EngineError> {
    match samples {
        SampleSource::Given(given) if given.rays() != rays => {
            Err(EngineError::Input(format!("samples of {} rays for {rays}", given.rays())))
        }
        _ => Ok(()),
    }
}

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
    /// Starts a kernel for so many items.
    pub(super) fn run<P: Pod>(
        &mut self,
        kernel: Kernel<P>,
        items: usize,
        params: &P,
    ) -> Result<(), EngineError> {
        let blocks = blocks(items, kernel.threads, self.gpu.processors());
        Ok(launch(&mut *self.gpu, kernel, blocks, 0, params)?)
    }

    /// Starts a kernel of the networks, for up to so many samples, with so much shared memory.
    pub(super) fn run_network<P: Pod>(
        &mut self,
        [half, single]: [Kernel<P>; 2],
        samples: usize,
        shared: u32,
        params: &P,
    ) -> Result<(), EngineError> {
        let kernel = if self.plan.half { half } else { single };
        let tiles = samples.div_ceil(self.plan.rows() as usize) as u32;
        let blocks = tiles.min(2 * self.gpu.processors());
        Ok(launch(&mut *self.gpu, kernel, blocks, shared, params)?)
    }

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

    fn outcome(&self) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome::default();
        self.gpu.download(self.arena.outcome, bytemuck::bytes_of_mut(&mut outcome))?;
        Ok(outcome)
    }

    /// Copies the occupied cells to the device, if they are others than last time.
    fn occupy(&mut self, space: &Space<'_>) -> Result<(), EngineError> {
        if self.occupied.as_ref().is_some_and(|held| held.bits == *space.bits) {
            return Ok(());
        }
        let fits = |held: &Occupied| held.bits.words().len() == space.bits.words().len();
        if let Some(old) = self.occupied.take_if(|held| !fits(held)) {
            self.gpu.free(old.words);
            self.gpu.free(old.blocks);
        }
        let (words, blocks) = match &self.occupied {
            Some(held) => (held.words, held.blocks),
            None => (
                self.gpu.alloc(8 * space.bits.words().len())?,
                self.gpu.alloc(8 * space.bits.blocks().len())?,
            ),
        };
        self.gpu.upload(words, bytemuck::cast_slice(space.bits.words()))?;
        self.gpu.upload(blocks, bytemuck::cast_slice(space.bits.blocks()))?;
        self.occupied = Some(Occupied { bits: space.bits.clone(), words, blocks });
        Ok(())
    }

    /// One round of marching: up to `limit` samples of every ray that goes on.
    pub(super) fn march(
        &mut self,
        space: &Space<'_>,
        rays: usize,
        round: u32,
        limit: u32,
    ) -> Result<(), EngineError> {
        self.occupy(space)?;
        let Some(held) = &self.occupied else { return Ok(()) };
        let steps = space.volume.steps;
        let given = MarchParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            words: held.words,
            blocks: held.blocks,
            cascades: space.bits.cascades() as u32,
            cone: steps.cone,
            shortest: steps.min,
            longest: steps.max,
            shrink: 1.0 / self.spec.box_side,
            pad: 0,
            samples: self.arena.samples(),
            round,
            limit,
            range: self.arena.marched(),
            counters: self.arena.counters(),
        };
        self.run(params::MARCH, rays, &given)
    }

    /// Puts rays on the device, at their start.
    pub(super) fn give_rays(&mut self, rays: &[MarchRay]) -> Result<(), EngineError> {
        self.arena.hold_rays(&mut *self.gpu, &self.plan, rays.len())?;
        let plain = |r: &MarchRay| Ray {
            origin: r.origin,
            direction: r.direction,
            near: r.near,
            far: r.far,
            camera: r.camera,
        };
        let rays: Vec<Ray> = rays.iter().map(plain).collect();
        self.gpu.upload(self.arena.rays, bytemuck::cast_slice(&rays))?;
        let given =
            StartParams { rays: self.arena.rays, states: self.arena.states, step: self.arena.state() };
        self.run(params::START_RAYS, rays.len(), &given)
    }

    /// Puts the samples of the rays from `first` on down, as the only round.
    pub(super) fn place(
        &mut self,
        given: &GivenSamples,
        first: usize,
        rays: usize,
    ) -> Result<usize, EngineError> {
        let (mut ends, mut t, mut dt) = (Vec::with_capacity(rays), Vec::new(), Vec::new());
        for ray in first..first + rays {
            let (a, b) = given.ray(ray);
            t.extend_from_slice(a);
            dt.extend_from_slice(b);
            ends.push(t.len() as u32);
        }
        self.arena.hold_samples(&mut *self.gpu, &self.plan, t.len())?;
        let mut held = Vec::new();
        for bytes in [bytemuck::cast_slice(&ends), bytemuck::cast_slice(&t), bytemuck::cast_slice(&dt)] {
            let at = self.gpu.alloc(bytes.len())?;
            held.push(at);
            self.gpu.upload(at, bytes)?;
        }
        let given = PlaceParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            shrink: 1.0 / self.spec.box_side,
            pad: 0,
            samples: self.arena.samples(),
            ends: held[0],
            t: held[1],
            dt: held[2],
            range: self.arena.marched(),
            counters: self.arena.counters(),
        };
        self.run(params::PLACE_SAMPLES, rays, &given)?;
        held.into_iter().for_each(|at| self.gpu.free(at));
        Ok(t.len())
    }

    /// Encodes the samples of the range of marched ones, `most` at most, and looks their saliency up.
    pub(super) fn encode(&mut self, most: usize) -> Result<(), EngineError> {
        let shape = &self.plan.shape;
        let threads = params::ENCODE_F16.threads;
        let each = blocks(most, threads, self.gpu.processors());
        let tables = &self.store.tables;
        let given = EncodeParams {
            levels: self.levels,
            level_count: shape.levels,
            features: shape.level_features,
            blocks: each,
            pad: 0,
            tables: if self.plan.half { tables.copies } else { tables.weights },
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.marched(),
            out: self.arena.features,
        };
        let kernel = if self.plan.half { params::ENCODE_F16 } else { params::ENCODE_F32 };
        launch(&mut *self.gpu, kernel, each * shape.levels, 0, &given)?;
        let (Some(saliency), Some(grid)) = (&self.store.saliency, self.spec.saliency) else { return Ok(()) };
        let given = LookUpParams {
            grid: saliency.weights,
            side: grid.side as u32,
            pad: 0,
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.marched(),
            logits: self.arena.logits,
        };
        self.run(params::LOOK_UP_SALIENCY, most, &given)
    }

    /// What the networks' kernels are given for a range of samples.
    pub(super) fn network(&self, range: Address, source: Address) -> NetworkParams {
        let (networks, arena) = (&self.store.networks, &self.arena);
        NetworkParams {
            shape: self.plan.shape,
            weights: if self.plan.half { networks.copies } else { networks.weights },
            features: arena.features,
            capacity: arena.capacity as u64,
            logits: if self.store.saliency.is_some() { arena.logits } else { Address::default() },
            step: arena.state(),
            range,
            source,
            sample_ray: arena.samples().ray,
            rays: arena.rays,
        }
    }

    /// Densities of the range of marched samples.
    pub(super) fn probe(&mut self, most: usize) -> Result<(), EngineError> {
        let net = self.network(self.arena.marched(), Address::default());
        let (given, shared) = (ProbeParams { net, sigma: self.arena.sigma }, self.plan.shared_memory().probe);
        self.run_network([params::PROBE_F16, params::PROBE_F32], most, shared, &given)
    }

    /// Draws a step's rays from views.
    fn draw(&mut self, draw: &Draw<'_>) -> Result<(), EngineError> {
        let Some(Some(views)) = self.views.get(draw.views.0) else {
            return Err(EngineError::Input("rays are drawn from views that the engine does not have".into()));
        };
        let volume = draw.space.volume;
        let given = DrawParams {
            views: views.table,
            view_count: views.count as u32,
            pad: 0,
            step: self.arena.state(),
            side: volume.side,
            cone: volume.steps.cone,
            shortest: volume.steps.min,
            longest: volume.steps.max,
            near: volume.near,
            pad2: 0,
            rays: self.arena.rays,
            states: self.arena.states,
            targets: self.arena.targets,
            target_columns: self.plan.target_columns,
            has_distance: self.plan.has_distance.into(),
        };
        self.run(params::DRAW_RAYS, draw.rays, &given)
    }

    fn check(&self, batch: &Batch<'_>) -> Result<(), EngineError> {
        let refuse = |reason: String| Err(EngineError::Input(reason));
        let found = match batch {
            Batch::Drawn(draw) => {
                if matches!(draw.poses, Poses::Corrected(_)) {
                    return refuse(format!("device '{}' cannot draw rays from moved cameras", self.device));
                }
                match self.views.get(draw.views.0) {
                    Some(Some(views)) if views.count > 0 => views.count,
                    _ => return refuse("rays are drawn from views that the engine does not have".into()),
                }
            }
            Batch::Given { rays, targets, samples } => {
                let (n, width) = (rays.len(), self.plan.target_columns as usize);
                if targets.len() != n * width {
                    return refuse(format!("{} target values for {n} rays of {width}", targets.len()));
                }
                check_samples(samples, n)?;
                rays.iter().map(|ray| ray.camera as usize + 1).max().unwrap_or(0)
            }
        };
        let room = if self.store.colors.is_some() { self.spec.cameras.count } else { usize::MAX };
        if found > room { refuse(format!("rays of {found} cameras, and room for {room}")) } else { Ok(()) }
    }

    /// One step of gradient descent.
    pub(super) fn run_step(&mut self, step: &Step<'_>) -> Result<StepStats, EngineError> {
        self.check(&step.batch)?;
        let started = Instant::now();
        let rays = step.batch.rays();
        self.step += 1;
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
        self.find_samples(&samples, rays)?;
        self.learn(step, rays)?;
        let outcome = self.outcome()?;
        self.note(step, rays, &outcome, started)
    }

    /// Marches to the surfaces, and lists the samples that count.
    fn find_samples(&mut self, samples: &SampleSource<'_>, rays: usize) -> Result<(), EngineError> {
        let cut = self.spec.min_transmittance > 0.0;
        let rounds: &[u32] = match samples {
            SampleSource::Given(_) => &[0],
            SampleSource::Space(_) if cut => &ROUNDS,
            SampleSource::Space(_) => &[MOST_SAMPLES as u32],
        };
        for (round, limit) in rounds.iter().enumerate() {
            let most = match samples {
                SampleSource::Space(space) => {
                    self.march(space, rays, round as u32, *limit)?;
                    self.arena.capacity.min(rays * *limit as usize)
                }
                SampleSource::Given(given) => self.place(given, 0, rays)?,
            };
            self.encode(most)?;
            if cut {
                self.probe(most)?;
            }
            let given = AdvanceParams {
                states: self.arena.states,
                step: self.arena.state(),
                samples: self.arena.samples(),
                sigma: self.arena.sigma,
                round: round as u32,
                pad: 0,
                range: self.arena.marched(),
            };
            self.run(params::ADVANCE, rays, &given)?;
        }
        let given = GatherParams {
            states: self.arena.states,
            step: self.arena.state(),
            samples: self.arena.samples(),
            rounds: rounds.len() as u32,
            pad: 0,
            kept: self.arena.kept(),
            source: self.arena.source,
            counters: self.arena.counters(),
        };
        self.run(params::GATHER, rays, &given)
    }

    /// The way forward and back for the samples that count, and the update.
    fn learn(&mut self, step: &Step<'_>, rays: usize) -> Result<(), EngineError> {
        let most = self.arena.capacity;
        let shared = self.plan.shared_memory();
        let net = self.network(self.arena.kept(), self.arena.source);
        let given = ShadeParams { net, out: self.arena.shaded };
        self.run_network([params::SHADE_F16, params::SHADE_F32], most, shared.shade, &given)?;
        let (spread, colors) = (self.plan.spread, self.store.colors.as_ref());
        let (knee, factor) = spread.scale.parts();
        let given = CompositeParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            samples: self.arena.samples(),
            source: self.arena.source,
            shaded: self.arena.shaded,
            targets: self.arena.targets,
            target_columns: self.plan.target_columns,
            has_distance: self.plan.has_distance.into(),
            penalty: self.plan.penalty,
            weight: self.plan.weight,
            distortion: spread.distortion,
            deviation: spread.depth,
            knee,
            factor,
            codes: colors.map_or(Address::default(), |piece| piece.weights),
            d_codes: colors.map_or(Address::default(), |piece| piece.grads),
            scale: self.arena.scale,
            d_shaded: self.arena.d_shaded,
            counters: self.arena.counters(),
        };
        self.run(params::COMPOSITE, rays, &given)?;
        let given = BackwardParams {
            net,
            d_out: self.arena.d_shaded,
            d_features: self.arena.d_features,
            d_logits: self.arena.d_logits,
            grads: self.store.networks.grads,
            counters: self.arena.counters(),
        };
        self.run_network([params::BACKWARD_F16, params::BACKWARD_F32], most, shared.backward, &given)?;
        self.scatter(most)?;
        self.update(step)
    }

    /// Sums of the tables' gradients.
    fn scatter(&mut self, most: usize) -> Result<(), EngineError> {
        let shape = &self.plan.shape;
        let kernel = match (self.plan.half, self.store.tables.half_grads) {
            (true, true) => params::ENCODE_BACKWARD_F16,
            (true, false) => params::ENCODE_BACKWARD_F16_TO_F32,
            _ => params::ENCODE_BACKWARD_F32,
        };
        let each = blocks(most, kernel.threads, self.gpu.processors());
        let given = EncodeBackwardParams {
            levels: self.levels,
            level_count: shape.levels,
            features: shape.level_features,
            blocks: each,
            pad: 0,
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.kept(),
            source: self.arena.source,
            d_features: self.arena.d_features,
            grads: self.store.tables.grads,
        };
        Ok(launch(&mut *self.gpu, kernel, each * shape.levels, 0, &given)?)
    }

    /// The optimiser's step of every piece.
    fn update(&mut self, step: &Step<'_>) -> Result<(), EngineError> {
        if let (Some(saliency), Some(grid), Some(_)) =
            (self.store.saliency.clone(), self.spec.saliency, step.pruning)
        {
            let given = LookUpBackwardParams {
                side: grid.side as u32,
                pad: 0,
                positions: self.arena.positions(),
                capacity: self.arena.capacity as u64,
                range: self.arena.kept(),
                source: self.arena.source,
                d_logits: self.arena.d_logits,
                grads: saliency.grads,
            };
            self.run(params::SALIENCY_BACKWARD, self.arena.capacity, &given)?;
            let given = PenalizeParams {
                grid: saliency.weights,
                grads: saliency.grads,
                count: saliency.count as u64,
                step: self.arena.state(),
                scale: self.arena.scale,
                counters: self.arena.counters(),
            };
            self.run(params::PENALIZE_SALIENCY, saliency.count, &given)?;
        }
        let still = self.store.saliency.as_ref().filter(|_| step.pruning.is_none()).map(|piece| piece.group);
        let pieces: Vec<_> =
            self.store.pieces().filter(|piece| Some(piece.group) != still).cloned().collect();
        for piece in pieces {
            let given = AdamParams {
                weights: piece.weights,
                copies: piece.copies,
                grads: piece.grads,
                half_grads: piece.half_grads.into(),
                scaled: piece.scaled.into(),
                packed: piece.packed,
                m: piece.m,
                v: piece.v,
                count: piece.count as u64,
                sparse: piece.sparse.into(),
                pad: 0,
                state: self.arena.group(piece.group.index()),
                average: piece.average,
                average_decay: self.store.decay.unwrap_or(0.0),
                pad2: 0,
                step: self.arena.state(),
                scale: self.arena.scale,
                counters: self.arena.counters(),
            };
            self.run(params::ADAM, piece.count, &given)?;
        }
        if let (Some(saliency), Some(grid)) = (self.store.saliency.clone(), self.spec.saliency) {
            let given = ClampParams {
                grid: saliency.weights,
                count: saliency.count as u64,
                limit: grid.limit,
                pad: 0,
                step: self.arena.state(),
                counters: self.arena.counters(),
            };
            self.run(params::CLAMP_SALIENCY, saliency.count, &given)?;
        }
        if self.plan.half {
            let given = FinishParams { scale: self.arena.scale, counters: self.arena.counters() };
            self.run(params::FINISH, 1, &given)?;
        }
        Ok(())
    }

    /// Makes statistics of what a step has come to, and room for the next one.
    fn note(
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
