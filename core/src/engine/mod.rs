//! Engines that train fields: what a step is given, and who computes it.

pub mod cpu;
mod sampler;
mod step;

pub use cpu::{
    BatchEngine, CAPACITY, CameraBlocks, FieldLayout, GridBlocks, Plan, Pool, SaliencyBlock, Stage, stages,
};
pub use sampler::{Live, Marcher, Objective, Ray, Sampler, Samples, Staged};
pub use step::{Phases, StepInput, StepStats};

use crate::params::Params;

/// A training step, whoever computes it.
pub trait TrainEngine {
    /// One step of gradient descent on rays of the input's sampler.
    fn step(&mut self, input: &StepInput<'_>) -> StepStats;

    /// As [`Self::step`], but nothing is learnt: gives the gradients of the poses of the cameras that the rays name,
    /// into a field that learns poses. Per camera the sums over its rays of `d' x d_d'` and `d_o'` (see
    /// [`crate::ops::rigid`]), divided by the number of rays. What is learnt about colors is not applied.
    fn trace(&mut self, input: &StepInput<'_>, out: &mut [[f64; 6]]) -> StepStats;

    /// The parameters.
    fn params(&self) -> &Params;

    /// Says how far the training is, for what depends on it, before anything is rendered.
    fn set_progress(&mut self, progress: f64);

    /// The parameters, to be restored.
    fn params_mut(&mut self) -> &mut Params;

    /// Densities at `positions` (x, y, z in the encoding's unit cube).
    fn density(&mut self, positions: [&[f32]; 3], out: &mut [f32]);

    /// Composited outputs (channels, depth, opacity) of `rays`; marching ends where less than `min_transmittance` gets
    /// through.
    fn render(&mut self, rays: &[Ray], marcher: &dyn Marcher, min_transmittance: f32, out: &mut [f32]);
}
