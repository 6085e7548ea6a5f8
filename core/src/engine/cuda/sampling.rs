//! Where a step's samples are: rays on the device, marched to the surfaces, or as they are given.

use super::CudaEngine;
use super::arena::ROUNDS;
use super::cells::HeldCells;
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
        let (table, view_count) = (views.table, views.count as u32);
        let volume = draw.space.volume;
        let (corrections, moved) = self.move_cameras(draw.poses)?;
        let given = DrawParams {
            views: table,
            view_count,
            moved,
            corrections,
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

    /// One round of marching: up to `limit` samples of every ray that goes on.
    pub(super) fn march(
        &mut self,
        space: &Space<'_>,
        rays: usize,
        round: u32,
        limit: u32,
    ) -> Result<(), EngineError> {
        let HeldCells { set, blocks, .. } = HeldCells::hold(&mut self.occupied, &mut *self.gpu, space.bits)?;
        let steps = space.volume.steps;
        let given = MarchParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            words: set.words,
            blocks: *blocks,
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
        let (ends, t, dt) = given.of_rays(first..first + rays);
        self.arena.hold_samples(&mut *self.gpu, &self.plan, t.len())?;
        self.gpu.upload(self.arena.ends, bytemuck::cast_slice(&ends))?;
        // They are already where they belong.
        self.gpu.upload(self.arena.t, bytemuck::cast_slice(t))?;
        self.gpu.upload(self.arena.dt, bytemuck::cast_slice(dt))?;
        let given = PlaceParams {
            rays: self.arena.rays,
            states: self.arena.states,
            step: self.arena.state(),
            shrink: 1.0 / self.spec.box_side,
            pad: 0,
            samples: self.arena.samples(),
            ends: self.arena.ends,
            t: self.arena.t,
            dt: self.arena.dt,
            range: self.arena.marched(),
            counters: self.arena.counters(),
        };
        self.run(params::PLACE_SAMPLES, rays, &given)?;
        Ok(t.len())
    }
}
