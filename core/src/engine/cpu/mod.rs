//! The batch engine on the processor: a training step in phases over a whole batch, on persistent workers.
//!
//! 1. **draw**: rays are marched in [rounds] of samples, which are packed into [`Tile`]s, encoded level by level over
//!    all tiles (so that one level's table at a time occupies the caches) and probed for their densities, until the
//!    ray is opaque; what lies behind is never encoded. The samples that count are gathered into tiles of whole rays;
//! 2. **stages**: tile by tile through the field's [`Stage`]s forward, the loss, and back;
//! 3. **update**: dense blocks from the summed gradients, and level by level scatter and sparse Adam, so that a
//!    table's gradient never exists whole.
//!
//! Where poses are learnt, the gradients of the rays' origins and directions are taken between 2 and 3, while the
//! tables are still what the encoding saw, and summed camera by camera in the order of the rays.
//!
//! HollowNeRF's saliency grid goes along: looked up with the encoding, applied by stages, updated beside the tables.
//!
//! Results do not depend on the number of threads: gradients are summed per group of tiles and the groups in order; a
//! table's level is one worker's, points in order.

mod cameras;
mod forward;
mod infer;
mod layout;
mod loss;
mod pool;
mod rounds;
mod stage;
pub mod stages;
mod step;
mod tile;
mod tiles;
mod transpose;
mod update;
mod workspace;

pub use layout::{CameraBlocks, FieldLayout, GridBlocks, SaliencyBlock};
pub use pool::Pool;
pub use stage::{Prepare, Stage};
pub use tile::{CAPACITY, Span, Tile};
pub use workspace::{Plan, Slot, Workspace};

use super::{Marcher, Ray, StepInput, StepStats, TrainEngine};
use crate::ops::composite::EXTRA;
use crate::ops::small_gemm::Precision;
use crate::params::{Params, Values, zeros};
use crate::simd::Isa;
use pool::lock;
use rounds::Rounds;
use std::sync::Mutex;
use tiles::Tiles;

/// Gradient sums per step: tiles are dealt to this many groups whatever the number of threads.
const GROUPS: usize = 32;

/// The engine's state. See the [module](self) for the phases.
pub struct BatchEngine {
    isa: Isa,
    precision: Precision,
    pool: Pool,
    params: Params,
    field: FieldLayout,
    progress: f64,
    rays: Vec<Ray>,
    targets: Vec<f32>,
    /// Rays on their way through the volume, and their samples; in inference those of a batch.
    rounds: Rounds,
    /// Tiles of whole rays with the samples that count.
    finals: Tiles,
    /// One a worker.
    workspaces: Vec<Mutex<Workspace>>,
    /// One a worker: the gradient of a table.
    tables: Vec<Mutex<Values>>,
    groups: Vec<Group>,
    /// Per ray: whether it met an occupied cell.
    met: Vec<bool>,
    /// Room for an empty output and its gradient.
    empty: Vec<f32>,
    /// Room for sums and gradients of what is learnt about cameras.
    poses: Vec<[f64; 6]>,
    colors: Vec<f64>,
    gradient: Vec<f32>,
}

/// One group of tiles: its gradient sums and statistics.
#[derive(Debug, Default)]
struct Group {
    grads: Vec<f32>,
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
        let tiles = || Tiles::new(field.grid.levels.len(), field.grid.features);
        Self {
            isa,
            precision: Precision::F32,
            pool,
            params,
            progress: 0.0,
            rays: Vec::new(),
            targets: Vec::new(),
            rounds: Rounds::new(tiles()),
            finals: tiles(),
            workspaces,
            tables,
            groups,
            met: Vec::new(),
            empty: Vec::new(),
            poses: Vec::new(),
            colors: Vec::new(),
            gradient: Vec::new(),
            field,
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
}

impl TrainEngine for BatchEngine {
    fn step(&mut self, input: &StepInput<'_>) -> StepStats {
        let pool = self.pool.clone();
        pool.run(|| self.run_step(input))
    }

    fn trace(&mut self, input: &StepInput<'_>, out: &mut [[f64; 6]]) -> StepStats {
        let pool = self.pool.clone();
        pool.run(|| self.run_trace(input, out))
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

    fn render(&mut self, rays: &[Ray], marcher: &dyn Marcher, min_transmittance: f32, out: &mut [f32]) {
        let pool = self.pool.clone();
        pool.run(|| self.render_rays(rays, marcher, min_transmittance, out));
    }
}

#[cfg(test)]
mod tests;
