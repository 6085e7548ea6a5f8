//! The engine of CUDA devices: a field's parameters, its views and its samples stay in the device's memory, and a step is a
//! row of kernels.
//!
//! ```text
//! draw_rays -> 4 rounds of (march -> encode -> probe -> advance) -> gather -> shade -> composite, loss and back
//!           -> backward (networks) -> encode_backward (tables) -> adam -> finish
//! ```
//!
//! The first rounds find the surfaces; what lies behind them is never encoded. `gather` lists the samples that count, ray
//! by ray, and only these are shaded and learnt from. The host writes what changes from step to step into one small buffer
//! before a step, and reads one with counters and losses after it.
//!
//! Tables and activations are in half precision, beside values in f32 that Adam updates; gradients are scaled so that half
//! precision holds them, by a factor that adapts on the device. With [`Precision::F32`](crate::ops::small_gemm::Precision)
//! everything is in f32, to compare with.
//!
//! Gradients of tables are summed by atomic additions, so two runs from one seed agree closely but not to the bit. Rays that
//! find no room for their samples are left out of a step (the room grows for the next one).

mod arena;
mod cells;
mod infer;
mod learn;
mod memory;
mod networks;
mod plan;
mod poses;
mod sampling;
mod step;
mod store;
mod views;

pub(super) use memory::memory;

use super::calls::{check_positions, check_render, check_values, must_train};
use super::slopes::differences;
use super::step::SampleSource;
use super::views::{HeldViews, check_views};
use super::visit;
use super::{EngineError, Options, Purpose, Step, StepStats, TrainEngine, TrainView, ViewsId, Visits};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, cuda_device};
use crate::field::{FieldLayout, FieldSpec};
use crate::gpu::{Cuda, Gpu};
use crate::ops::march::Ray;
use crate::params::{BlockId, Group, GroupId, GroupSettings, Params, StateData, StateTensor};
use arena::Arena;
use cells::HeldCells;
use plan::Plan;
use poses::CameraRoom;
use std::borrow::Cow;
use store::Store;
use views::Views;

/// The engine.
pub(super) struct CudaEngine<'g> {
    device: Device,
    spec: FieldSpec,
    layout: FieldLayout,
    plan: Plan,
    gpu: Box<dyn Gpu + 'g>,
    store: Store,
    arena: Arena,
    /// The table of the encoding's levels.
    levels: crate::gpu::Address,
    groups: Vec<Group>,
    /// Steps taken.
    step: u64,
    progress: f64,
    views: HeldViews<Views>,
    cameras: CameraRoom,
    /// The occupied cells that the device has, and the open ones, which visits go to.
    occupied: Option<HeldCells>,
    open: Option<HeldCells>,
    losses: Vec<f64>,
    purpose: Purpose,
}

/// As many blocks as `count` items want at `threads` a block, up to what keeps the device busy.
fn blocks(count: usize, threads: u32, processors: u32) -> u32 {
    let wanted = count.div_ceil(threads as usize) as u64;
    wanted.clamp(1, u64::from(processors) * 32) as u32
}

impl CudaEngine<'static> {
    /// An engine on a CUDA device.
    pub fn open(ordinal: usize, spec: &FieldSpec, options: &Options) -> Result<Self, EngineError> {
        let gpu = Cuda::open(&cuda_device(ordinal)?)?;
        Self::new(Device::Cuda(ordinal), spec, options, Box::new(gpu))
    }
}

impl<'g> CudaEngine<'g> {
    /// An engine on whatever runs kernels.
    fn new(
        device: Device,
        spec: &FieldSpec,
        options: &Options,
        mut gpu: Box<dyn Gpu + 'g>,
    ) -> Result<Self, EngineError> {
        let layout = spec.layout()?;
        let plan = Plan::new(spec, &layout, device, gpu.shared_memory())?;
        let mut store = Store::new(&mut *gpu, spec, &layout, &plan, options.purpose)?;
        let params = Params::new(&layout.params, spec.seed);
        store.load(&mut *gpu, &params)?;
        let arena = Arena::new(&mut *gpu, &plan)?;
        let groups = layout.params.groups().to_vec();
        let table: &[u8] = bytemuck::cast_slice(&plan.levels);
        let levels = gpu.alloc(table.len())?;
        gpu.upload(levels, table)?;
        Ok(Self {
            device,
            spec: spec.clone(),
            layout,
            plan,
            gpu,
            store,
            arena,
            levels,
            groups,
            step: 0,
            progress: 0.0,
            views: HeldViews::new(),
            cameras: CameraRoom::default(),
            occupied: None,
            open: None,
            losses: vec![0.0],
            purpose: options.purpose,
        })
    }

    /// Takes over parameters that the processor has kept.
    fn load(&mut self, params: &Params) -> Result<(), EngineError> {
        self.store.load(&mut *self.gpu, params)?;
        self.arena.reset_scale(&mut *self.gpu, &self.plan)?;
        self.step = params.step;
        Ok(())
    }

    /// Room for parameters in the form that checkpoints have.
    fn params(&self) -> Params {
        let mut params = Params::zeroed(&self.layout.params);
        if let Some(decay) = self.spec.average {
            params.average(decay);
        }
        params
    }
}

impl TrainEngine for CudaEngine<'_> {
    fn device(&self) -> Device {
        self.device
    }

    fn spec(&self) -> &FieldSpec {
        &self.spec
    }

    fn layout(&self) -> &FieldLayout {
        &self.layout
    }

    fn add_views(&mut self, views: Vec<TrainView>) -> Result<ViewsId, EngineError> {
        check_views(&views, &[])?;
        let views = Views::new(&mut *self.gpu, &views)?;
        Ok(self.views.add(views))
    }

    fn remove_views(&mut self, views: ViewsId) {
        if let Some(views) = self.views.remove(views) {
            views.free(&mut *self.gpu);
        }
    }

    fn step(&mut self, step: &Step<'_>) -> Result<StepStats, EngineError> {
        must_train(self.purpose, "takes no step")?;
        self.run_step(step)
    }

    fn head_losses(&self) -> &[f64] {
        &self.losses
    }

    fn trace(&mut self, step: &Step<'_>, out: &mut [[f64; 6]]) -> Result<StepStats, EngineError> {
        if !self.plan.traces_rays {
            return Err(EngineError::Input("the field does not trace rays".into()));
        }
        self.run_trace(step, out)
    }

    fn step_count(&self) -> u64 {
        self.step
    }

    fn set_step_count(&mut self, step: u64) {
        self.step = step;
    }

    fn read(&self, block: BlockId) -> Result<Vec<f32>, EngineError> {
        Ok(self.store.read(&*self.gpu, block)?)
    }

    fn write(&mut self, block: BlockId, values: &[f32]) -> Result<(), EngineError> {
        let want = self.layout.params.blocks()[block.index()].values();
        check_values(values.len(), want)?;
        Ok(self.store.write(&mut *self.gpu, block, values)?)
    }

    fn set_group(&mut self, group: GroupId, settings: GroupSettings) {
        self.groups[group.index()].settings = settings;
    }

    fn swap_average(&mut self) -> Result<(), EngineError> {
        Ok(self.store.swap_average(&mut *self.gpu)?)
    }

    fn state(&self) -> Result<Vec<StateTensor<'_>>, EngineError> {
        must_train(self.purpose, "has no state to go on from")?;
        let params = self.store.save(&*self.gpu, &self.layout, self.step)?;
        let owned = |tensor: StateTensor<'_>| StateTensor {
            name: tensor.name,
            shape: tensor.shape,
            data: match tensor.data {
                StateData::F32(values) => StateData::F32(Cow::Owned(values.into_owned())),
                StateData::U32(values) => StateData::U32(Cow::Owned(values.into_owned())),
            },
        };
        Ok(params.tensors().into_iter().map(owned).collect())
    }

    fn restore(&mut self, checkpoint: &Checkpoint, step: u64) -> Result<(), EngineError> {
        must_train(self.purpose, "takes over weights alone")?;
        let mut params = self.params();
        params.restore(checkpoint, step)?;
        self.load(&params)
    }

    fn restore_weights(
        &mut self,
        checkpoint: &Checkpoint,
        step: u64,
        average: Option<f32>,
    ) -> Result<(), EngineError> {
        let mut params = self.params();
        params.restore_weights(checkpoint, step, average)?;
        self.load(&params)
    }

    fn set_progress(&mut self, progress: f64) {
        self.progress = progress;
    }

    fn density(&mut self, positions: [&[f32]; 3], out: &mut [f32]) -> Result<(), EngineError> {
        check_positions(positions, out.len())?;
        self.densities(positions, out)
    }

    fn density_slopes(
        &mut self,
        positions: [&[f32]; 3],
        sigma: &mut [f32],
        slopes: &mut [[f32; 3]],
    ) -> Result<(), EngineError> {
        differences(self, positions, sigma, slopes)
    }

    fn visit_cells(&mut self, visits: &Visits<'_>, density: &mut [f32]) -> Result<(), EngineError> {
        visit::check(visits, density.len())?;
        self.visit(visits, density)
    }

    fn render(
        &mut self,
        rays: &[Ray],
        samples: SampleSource<'_>,
        min_transmittance: f32,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        check_render(rays, &samples, out.len(), self.layout.outputs.width())?;
        self.render_rays(rays, samples, min_transmittance, out)
    }
}

#[cfg(test)]
mod tests;
