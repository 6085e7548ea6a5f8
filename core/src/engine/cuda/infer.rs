//! Densities and pictures.

use super::CudaEngine;
use crate::engine::EngineError;
use crate::engine::step::SampleSource;
use crate::gpu::Address;
use crate::gpu::params::{self, PictureParams, ShadeParams, StepState};
use crate::ops::march::{MOST_SAMPLES, Ray};

/// Rays of a picture that are rendered together.
const RENDER_BATCH: usize = 1 << 17;

/// Positions whose densities are computed together.
const DENSITY_BATCH: usize = 1 << 20;

/// Samples of a ray in the first round of a picture; doubled in each later one, up to the last number.
const FIRST_ROUND: usize = 8;
const LAST_ROUND: usize = 64;

impl CudaEngine<'_> {
    /// The state of a look at the field, with so many rays.
    pub(super) fn look(&self, rays: usize, min_transmittance: f32) -> StepState {
        let gate_alpha = self.plan.gate_alpha(self.progress);
        StepState { rays: rays as u32, gate_alpha, min_transmittance, ..StepState::default() }
    }

    /// Sets the range of marched samples.
    pub(super) fn set_range(&mut self, end: usize) -> Result<(), EngineError> {
        let range = params::Range { begin: 0, end: end as u32 };
        Ok(self.gpu.upload(self.arena.marched(), bytemuck::bytes_of(&range))?)
    }

    /// Densities at positions of the unit cube.
    pub(super) fn densities(&mut self, positions: [&[f32]; 3], out: &mut [f32]) -> Result<(), EngineError> {
        let batch = DENSITY_BATCH.min(out.len().max(1));
        self.arena.hold_samples(&mut *self.gpu, &self.plan, batch)?;
        self.begin(self.look(0, 0.0), 0.0)?;
        for (index, out) in out.chunks_mut(batch).enumerate() {
            let from = index * batch;
            for (axis, values) in positions.iter().enumerate() {
                let to = self.arena.positions().offset(4 * axis * self.arena.capacity);
                self.gpu.upload(to, bytemuck::cast_slice(&values[from..from + out.len()]))?;
            }
            self.set_range(out.len())?;
            self.placed_densities(out)?;
        }
        Ok(())
    }

    /// Densities at the positions that the range of marched samples has.
    pub(super) fn placed_densities(&mut self, out: &mut [f32]) -> Result<(), EngineError> {
        self.encode(out.len())?;
        self.probe(out.len())?;
        Ok(self.gpu.download(self.arena.sigma, bytemuck::cast_slice_mut(out))?)
    }

    /// Composited outputs of rays, `[ray][red, green, blue, depth, opacity]`.
    pub(super) fn render_rays(
        &mut self,
        rays: &[Ray],
        samples: SampleSource<'_>,
        min_transmittance: f32,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        let width = self.layout.outputs.width();
        let batch = RENDER_BATCH.min(rays.len().max(1));
        self.arena.hold_rays(&mut *self.gpu, &self.plan, batch)?;
        self.arena.hold_samples(&mut *self.gpu, &self.plan, batch * FIRST_ROUND)?;
        for (index, (rays, out)) in rays.chunks(batch).zip(out.chunks_mut(batch * width)).enumerate() {
            self.begin(self.look(rays.len(), min_transmittance), 0.0)?;
            self.give_rays(rays)?;
            self.gpu.clear(self.arena.output, 4 * out.len())?;
            match &samples {
                SampleSource::Given(given) => {
                    let most = self.place(given, index * batch, rays.len())?;
                    self.show(rays.len(), most)?;
                }
                SampleSource::Space(space) => {
                    let (mut alive, mut limit) = (rays.len(), FIRST_ROUND);
                    while alive > 0 {
                        // No ray is left out: there is room for as many samples as can come.
                        let room = (self.arena.capacity / alive).clamp(1, MOST_SAMPLES);
                        let round = limit.min(room);
                        self.march(space, rays.len(), 0, round as u32)?;
                        alive = self.show(rays.len(), alive * round)?;
                        limit = (2 * limit).min(LAST_ROUND);
                    }
                }
            }
            self.gpu.download(self.arena.output, bytemuck::cast_slice_mut(out))?;
        }
        Ok(())
    }

    /// Adds what a round's samples show, `most` at most; how many rays go on.
    fn show(&mut self, rays: usize, most: usize) -> Result<usize, EngineError> {
        self.encode(most)?;
        let net = self.network(self.arena.marched(), Address::default());
        let (given, shared) = (ShadeParams { net, out: self.arena.shaded }, self.plan.shared_memory().shade);
        self.run_network([params::SHADE_F16, params::SHADE_F32], most, shared, &given)?;
        self.gpu.clear(self.arena.alive(), 4)?;
        let given = PictureParams {
            states: self.arena.states,
            step: self.arena.state(),
            samples: self.arena.samples(),
            shaded: self.arena.shaded,
            out: self.arena.output,
            alive: self.arena.alive(),
            range: self.arena.marched(),
        };
        self.run(params::PICTURE, rays, &given)?;
        let mut alive = 0u32;
        self.gpu.download(self.arena.alive(), bytemuck::bytes_of_mut(&mut alive))?;
        Ok(alive as usize)
    }
}
