//! The engine of the processor: a training step in phases over a whole batch, on persistent workers.
//!
//! 1. **draw**: rays are drawn, and marched in rounds of samples, which are packed into tiles, encoded level by level over
//!    all tiles (so that one level's table at a time occupies the caches) and probed for their densities, until the
//!    ray is opaque; what lies behind is never encoded. The samples that count are gathered into tiles of whole rays;
//! 2. **stages**: tile by tile through the field's stages forward, the heads' losses, and back;
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
mod compile;
mod draw;
mod encoder;
mod field;
mod forward;
mod infer;
mod loss;
mod memory;
mod pool;
mod rounds;
mod samples;
mod slopes;
mod stage;
mod stages;
mod step;
mod tile;
mod tiles;
mod transpose;
mod update;
mod workspace;

pub(super) use memory::memory;
pub use pool::Pool;

use super::calls::{check_positions, check_render, check_slot, check_values, must_train};
use super::slopes::differences;
use super::views::{HeldViews, check_views};
use super::visit::{self, VisitBuffers};
use super::{
    EngineError, Options, Purpose, SampleSource, Step, StepStats, TrainEngine, TrainView, ViewsId, Visits,
};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::field::{FieldLayout, FieldSpec, HeadLoss, SlotId};
use crate::ops::march::Ray;
use crate::params::{BlockId, GroupId, GroupSettings, Params, StateTensor, Values, zeros};
use crate::simd::Isa;
use draw::Views;
use field::Field;
use rounds::Rounds;
use std::sync::Mutex;
use tiles::Tiles;
use workspace::Workspace;

/// Gradient sums per step: tiles are dealt to this many groups whatever the number of threads.
const GROUPS: usize = 32;

/// The engine's state. See the [module](self) for the phases.
pub(super) struct CpuEngine {
    spec: FieldSpec,
    purpose: Purpose,
    layout: FieldLayout,
    isa: Isa,
    pool: Pool,
    params: Params,
    field: Field,
    progress: f64,
    /// By their handle.
    views: HeldViews<Views>,
    rays: Vec<Ray>,
    targets: Vec<f32>,
    /// Rays on their way through the volume, and their samples; in inference those of a batch.
    rounds: Rounds,
    /// Tiles of whole rays with the samples that count.
    finals: Tiles,
    /// One a worker.
    workspaces: Vec<Mutex<Workspace>>,
    /// One a worker: the gradient of a table, where tables are trained.
    tables: Vec<Mutex<Values>>,
    groups: Vec<Group>,
    /// The heads' mean losses in the last step.
    losses: Vec<f64>,
    /// Per ray: whether it met an occupied cell.
    met: Vec<bool>,
    /// Room for an empty output and its gradient.
    empty: Vec<f32>,
    /// Room for sums and gradients of what is learnt about cameras.
    poses: Vec<[f64; 6]>,
    colors: Vec<f64>,
    gradient: Vec<f32>,
    /// Room for visits to cells.
    visits: VisitBuffers,
}

/// One group of tiles: its gradient sums and statistics.
#[derive(Debug)]
struct Group {
    grads: Vec<f32>,
    losses: Vec<f64>,
    spread: [f64; 2],
    kept: usize,
}

impl CpuEngine {
    /// An engine for a field, by this processor's best instruction set.
    pub fn new(spec: &FieldSpec, options: &Options) -> Result<Self, EngineError> {
        Self::with_isa(spec, options, Isa::best())
    }

    /// The same by another instruction set.
    fn with_isa(spec: &FieldSpec, options: &Options, isa: Isa) -> Result<Self, EngineError> {
        let Options { purpose, pool } = options.clone();
        let layout = spec.layout()?;
        let field = compile::compile(spec, &layout)?;
        let trains = purpose == Purpose::Train;
        let mut params = match purpose {
            Purpose::Train => Params::new(&layout.params, spec.seed),
            Purpose::Look => Params::weights_only(&layout.params, spec.seed),
        };
        if let Some(decay) = spec.average.filter(|_| trains) {
            params.average(decay);
        }
        let (outputs, heads) = (field.outputs.width(), field.heads.len());
        let per_worker = |_| Mutex::new(Workspace::new(isa, spec.precision, &field.plan, outputs, heads));
        let workspaces = (0..pool.threads()).map(per_worker).collect();
        let largest = if trains { field.encoder.largest_table() } else { 0 };
        let tables = (0..pool.threads()).map(|_| Mutex::new(zeros(largest))).collect();
        // Tracing rays takes the stages back, too.
        let goes_back = trains || field.traces_rays;
        let grads: usize = field.stages.iter().map(|s| if goes_back { s.grads() } else { 0 }).sum();
        let group =
            |_| Group { grads: vec![0.0; grads], losses: vec![0.0; heads], spread: [0.0; 2], kept: 0 };
        let tiles = || Tiles::new(field.encoder.levels());
        Ok(Self {
            spec: spec.clone(),
            purpose,
            isa,
            pool,
            params,
            progress: 0.0,
            views: HeldViews::new(),
            rays: Vec::new(),
            targets: Vec::new(),
            rounds: Rounds::new(tiles()),
            finals: tiles(),
            workspaces,
            tables,
            groups: (0..GROUPS).map(group).collect(),
            losses: vec![0.0; heads],
            met: Vec::new(),
            empty: Vec::new(),
            poses: Vec::new(),
            colors: Vec::new(),
            gradient: Vec::new(),
            visits: VisitBuffers::default(),
            field,
            layout,
        })
    }

    /// Names and channels of the heads that compare channels.
    fn mapped_heads(&self) -> Vec<(&str, usize)> {
        let heads = self.spec.heads.iter().zip(&self.layout.outputs.heads);
        let mapped = heads.filter(|(head, _)| matches!(head.loss, HeadLoss::Channels(_)));
        mapped.map(|(head, columns)| (&*head.name, columns.len())).collect()
    }
}

impl TrainEngine for CpuEngine {
    fn device(&self) -> Device {
        Device::Cpu
    }

    fn spec(&self) -> &FieldSpec {
        &self.spec
    }

    fn layout(&self) -> &FieldLayout {
        &self.layout
    }

    fn add_views(&mut self, views: Vec<TrainView>) -> Result<ViewsId, EngineError> {
        let heads = self.mapped_heads();
        check_views(&views, &heads)?;
        let views = Views::new(views, &heads);
        Ok(self.views.add(views))
    }

    fn remove_views(&mut self, views: ViewsId) {
        self.views.remove(views);
    }

    fn step(&mut self, step: &Step<'_>) -> Result<StepStats, EngineError> {
        must_train(self.purpose, "takes no step")?;
        let learns = self.field.poses.is_some() || self.field.colors.is_some();
        self.check(&step.batch, if learns { self.spec.cameras.count } else { usize::MAX })?;
        let pool = self.pool.clone();
        Ok(pool.run(|| self.run_step(step)))
    }

    fn head_losses(&self) -> &[f64] {
        &self.losses
    }

    fn trace(&mut self, step: &Step<'_>, out: &mut [[f64; 6]]) -> Result<StepStats, EngineError> {
        if !self.field.traces_rays {
            return Err(EngineError::Input("the field does not trace rays".into()));
        }
        self.check(&step.batch, out.len())?;
        let pool = self.pool.clone();
        Ok(pool.run(|| self.run_trace(step, out)))
    }

    fn step_count(&self) -> u64 {
        self.params.step
    }

    fn set_step_count(&mut self, step: u64) {
        self.params.step = step;
    }

    fn read(&self, block: BlockId) -> Result<Vec<f32>, EngineError> {
        Ok(self.params.weight(block).to_vec())
    }

    fn write(&mut self, block: BlockId, values: &[f32]) -> Result<(), EngineError> {
        let weight = self.params.weight_mut(block);
        check_values(values.len(), weight.len())?;
        weight.copy_from_slice(values);
        Ok(())
    }

    fn set_group(&mut self, group: GroupId, settings: GroupSettings) {
        self.params.set_group(group, settings);
    }

    fn swap_average(&mut self) -> Result<(), EngineError> {
        self.params.swap_average();
        Ok(())
    }

    fn state(&self) -> Result<Vec<StateTensor<'_>>, EngineError> {
        must_train(self.purpose, "has no state to go on from")?;
        Ok(self.params.tensors())
    }

    fn restore(&mut self, checkpoint: &Checkpoint, step: u64) -> Result<(), EngineError> {
        must_train(self.purpose, "takes over weights alone")?;
        Ok(self.params.restore(checkpoint, step)?)
    }

    fn restore_weights(
        &mut self,
        checkpoint: &Checkpoint,
        step: u64,
        average: Option<f32>,
    ) -> Result<(), EngineError> {
        Ok(self.params.restore_weights(checkpoint, step, average)?)
    }

    fn set_progress(&mut self, progress: f64) {
        self.progress = progress;
    }

    fn density(&mut self, positions: [&[f32]; 3], out: &mut [f32]) -> Result<(), EngineError> {
        check_positions(positions, out.len())?;
        let pool = self.pool.clone();
        pool.run(|| self.densities(positions, out));
        Ok(())
    }

    fn density_slopes(
        &mut self,
        positions: [&[f32]; 3],
        sigma: &mut [f32],
        slopes: &mut [[f32; 3]],
    ) -> Result<(), EngineError> {
        if !self.has_slopes() {
            return differences(self, positions, sigma, slopes);
        }
        check_positions(positions, sigma.len())?;
        check_positions(positions, slopes.len())?;
        let pool = self.pool.clone();
        pool.run(|| self.slopes(positions, sigma, slopes));
        Ok(())
    }

    fn activations(
        &mut self,
        positions: [&[f32]; 3],
        slot: SlotId,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        let columns = self.spec.columns(slot);
        check_slot(&self.spec, slot)?;
        check_positions(positions, out.len() / columns)?;
        let pool = self.pool.clone();
        pool.run(|| self.rows(positions, slot, out));
        Ok(())
    }

    fn visit_cells(&mut self, visits: &Visits<'_>, density: &mut [f32]) -> Result<(), EngineError> {
        visit::check(visits, density.len())?;
        let (pool, side) = (self.pool.clone(), self.spec.box_side);
        let mut room = std::mem::take(&mut self.visits);
        let visited = pool.run(|| {
            room.visit(visits, side, density, |points, sigma| {
                self.densities(points, sigma);
                Ok(())
            })
        });
        self.visits = room;
        visited
    }

    fn render(
        &mut self,
        rays: &[Ray],
        samples: SampleSource<'_>,
        min_transmittance: f32,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        check_render(rays, &samples, out.len(), self.layout.outputs.width())?;
        let pool = self.pool.clone();
        pool.run(|| self.render_rays(rays, samples, min_transmittance, out));
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
