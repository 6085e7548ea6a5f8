//! Where a step's samples are: rays on the device, marched to the surfaces, or as they are given.

use super::arena::ROUNDS;
use super::{CudaEngine, Occupied};
use crate::engine::EngineError;
use crate::engine::step::{Draw, GivenSamples, SampleSource, Space};
use crate::gpu::params::{
    self, AdvanceParams, DrawParams, GatherParams, MarchParams, PlaceParams, Ray, StartParams,
};
use crate::ops::march::{MOST_SAMPLES, Ray as MarchRay};

impl CudaEngine<'_> {
    /// Draws a step's rays from views.
    pub(super) fn draw(&mut self, draw: &Draw<'_>) -> Result<(), EngineError> {
        let Some(views) = self.views.get(draw.views) else {
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

    /// Marches to the surfaces, and lists the samples that count.
    pub(super) fn find_samples(
        &mut self,
        samples: &SampleSource<'_>,
        rays: usize,
    ) -> Result<(), EngineError> {
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
}
