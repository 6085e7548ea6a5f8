//! The batch engine: a hash-grid field's training step in phases over a whole batch, on persistent workers.
//!
//! 1. **draw**: rays are marched in rounds of samples, which are packed into [`Tile`]s, encoded level by level over
//!    all tiles (so that one level's table at a time occupies the caches) and probed for their densities, until the
//!    ray is opaque; what lies behind is never encoded. The samples that count are gathered into tiles of whole rays;
//! 2. **stages**: tile by tile through the field's [`Stage`]s forward, the [`Objective`], and back;
//! 3. **update**: dense blocks from the summed gradients, and level by level scatter and sparse Adam, so that a
//!    table's gradient never exists whole.
//!
//! Where poses are learnt, the gradients of the rays' origins and directions are taken between 2 and 3, while the
//! tables are still what the encoding saw, and summed camera by camera in the order of the rays.
//!
//! HollowNeRF's saliency grid goes along: looked up with the encoding, applied by stages, updated beside the tables.
//!
//! A method adds an encoding level, a stage or a sampler. Results do not depend on the number of threads: gradients
//! are summed per group of tiles and the groups in order; a table's level is one worker's, points in order.

mod batch;
mod cameras;
mod infer;
mod layout;
mod pool;
mod rounds;
mod sampler;
mod stage;
pub mod stages;
mod step;
mod tile;
mod transpose;
mod update;
mod workspace;

pub use batch::BatchEngine;
pub use layout::{CameraBlocks, FieldLayout, GridBlocks, SaliencyBlock};
pub use pool::Pool;
pub use sampler::{Live, Marcher, Objective, Ray, Sampler, Samples, Staged};
pub use stage::{Prepare, Stage};
pub use step::{Phases, StepInput, StepStats};
pub use tile::{CAPACITY, Span, Tile};
pub use workspace::{Plan, Slot, Workspace};

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

    /// Composited outputs (channels, depth, opacity) of `rays`; marching ends where less than `cut` gets through.
    fn render(&mut self, rays: &[Ray], marcher: &dyn Marcher, cut: f32, out: &mut [f32]);
}

#[cfg(test)]
mod tests;
