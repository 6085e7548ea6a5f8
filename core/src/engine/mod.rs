//! Engines that train fields and look at them: one contract, whoever computes.
//!
//! [`open`] compiles a [`FieldSpec`] for a device. What an engine is given is data: views' pixels and cameras once, and per
//! step the number of rays, a key for random values, rates, and the occupied cells. Everything between stays with the
//! engine: rays, samples, gradients, moments; parameters are read and written by block. So an engine may keep it all on a
//! device of its own.
//!
//! An engine's methods fail where its device does. After an error the engine answers nothing but errors: a run ends with
//! its last checkpoint.

mod calls;
mod cpu;
mod cuda;
mod error;
mod slopes;
mod step;
mod views;
mod visit;
mod visits;

pub use cpu::Pool;
pub use error::EngineError;
pub use step::{
    Background, Batch, Draw, GivenSamples, Key, Phases, Poses, SampleSource, Space, Step, StepStats,
};
pub use views::{DepthImage, FeatureMap, PixelImage, TrainView, ViewsId};
pub use visits::{VisitedCells, Visits};

use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::field::{FieldLayout, FieldSpec, SlotId};
use crate::ops::march::Ray;
use crate::params::{BlockId, GroupId, GroupSettings, StateTensor};

/// What an engine is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Training; it can be looked at on the way.
    #[default]
    Train,
    /// Looking alone: weights without gradients, moments and averages, a third of the memory. [`TrainEngine::step`],
    /// [`TrainEngine::state`] and [`TrainEngine::restore`] are refused with [`EngineError::LookOnly`].
    Look,
}

/// What an engine is opened with, beside the field.
#[derive(Clone, Debug)]
pub struct Options {
    /// What for.
    pub purpose: Purpose,
    /// The workers of the processor: all of the engine's work on [`Device::Cpu`], what is left on the host elsewhere.
    pub pool: Pool,
}

/// Compiles a field for a device.
///
/// # Errors
/// Names the device that this build or this machine does not have, or what of the field it cannot run.
pub fn open(
    device: Device,
    spec: &FieldSpec,
    options: &Options,
) -> Result<Box<dyn TrainEngine>, EngineError> {
    match device {
        Device::Cpu => Ok(Box::new(cpu::CpuEngine::new(spec, options)?)),
        Device::Cuda(ordinal) => Ok(Box::new(cuda::CudaEngine::open(ordinal, spec, options)?)),
    }
}

/// The memory of the device that training a field takes, in bytes, on top of the views' pixels: an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineMemory {
    /// Weights, moments, and averages where they are kept.
    pub parameters: u64,
    /// What a step of so many samples works in.
    pub batch: u64,
}

/// What [`open`] for training and steps of `samples` samples will take on a device with so many workers.
///
/// # Errors
/// Those of [`open`], as far as they are known beforehand.
pub fn memory(
    device: Device,
    spec: &FieldSpec,
    samples: usize,
    threads: usize,
) -> Result<EngineMemory, EngineError> {
    match device {
        Device::Cpu => cpu::memory(spec, samples, threads),
        Device::Cuda(_) => cuda::memory(device, spec, samples),
    }
}

/// A field in an engine.
///
/// Rays, samples and positions are in the marching frame: unit-cube units, the render box centred at 0.5.
pub trait TrainEngine: Send {
    /// Where it computes.
    fn device(&self) -> Device;

    /// What it was made of.
    fn spec(&self) -> &FieldSpec;

    /// The field's blocks and columns, by handles.
    fn layout(&self) -> &FieldLayout;

    /// Takes views over to draw rays from. A field with heads that compare channels needs their maps.
    ///
    /// # Errors
    /// Names the view that contradicts itself or lacks a map.
    fn add_views(&mut self, views: Vec<TrainView>) -> Result<ViewsId, EngineError>;

    /// Forgets views.
    fn remove_views(&mut self, views: ViewsId);

    /// One step of gradient descent.
    ///
    /// # Errors
    /// If the engine was opened to look, the batch contradicts the field, or the device fails.
    fn step(&mut self, step: &Step<'_>) -> Result<StepStats, EngineError>;

    /// The heads' mean losses over all rays in the last step, without their weights.
    fn head_losses(&self) -> &[f64];

    /// As [`Self::step`], but nothing is learnt: gives the gradients of the poses of the cameras that the rays name,
    /// into a field that [traces rays](crate::field::CameraSpec::traces_rays). Per camera the sums over its rays of
    /// `d' x d_d'` and `d_o'` (see [`crate::ops::rigid`]), divided by the number of rays. What is learnt about colors
    /// is not applied; rate and pruning do not matter.
    ///
    /// # Errors
    /// If the field does not trace rays, the batch contradicts it, or the device fails.
    fn trace(&mut self, step: &Step<'_>, out: &mut [[f64; 6]]) -> Result<StepStats, EngineError>;

    /// Steps taken.
    fn step_count(&self) -> u64;

    /// Says that so many steps have been taken.
    fn set_step_count(&mut self, step: u64);

    /// A block's values; its average's, while these are [swapped](Self::swap_average).
    ///
    /// # Errors
    /// If the device fails.
    fn read(&self, block: BlockId) -> Result<Vec<f32>, EngineError>;

    /// Replaces a block's values; moments stay.
    ///
    /// # Errors
    /// If there are not as many, or the device fails.
    fn write(&mut self, block: BlockId, values: &[f32]) -> Result<(), EngineError>;

    /// How a group learns from the next step on.
    fn set_group(&mut self, group: GroupId, settings: GroupSettings);

    /// Exchanges weights with their averages, where there are any; a second call undoes the first. No step may be
    /// taken in between.
    ///
    /// # Errors
    /// If the device fails.
    fn swap_average(&mut self) -> Result<(), EngineError>;

    /// All that a bit-identical continuation needs but the step count: weights, moments and averages, as
    /// [`Params::tensors`](crate::params::Params::tensors) names them.
    ///
    /// # Errors
    /// If the engine was opened to look, or the device fails.
    fn state(&self) -> Result<Vec<StateTensor<'_>>, EngineError>;

    /// Takes over what [`Self::state`] gave, after so many steps.
    ///
    /// # Errors
    /// If the engine was opened to look. Names the tensor that is missing or has another shape.
    fn restore(&mut self, checkpoint: &Checkpoint, step: u64) -> Result<(), EngineError>;

    /// Takes over the weights alone of what [`Self::state`] gave, after so many steps; the averages in their place, where
    /// such with this decay were kept.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    fn restore_weights(
        &mut self,
        checkpoint: &Checkpoint,
        step: u64,
        average: Option<f32>,
    ) -> Result<(), EngineError>;

    /// Says how far the training is, for what depends on it, before anything is rendered.
    fn set_progress(&mut self, progress: f64);

    /// Densities at `positions` (x, y, z in the encoding's unit cube).
    ///
    /// # Errors
    /// If the device fails.
    fn density(&mut self, positions: [&[f32]; 3], out: &mut [f32]) -> Result<(), EngineError>;

    /// Densities at `positions` as [`Self::density`] gives them, and their gradients per unit of the encoding's unit cube.
    ///
    /// On the processor they are followed back through the networks and the hash grid; where that cannot be (another
    /// encoding, a saliency grid, another device), they are central differences over a 1024th to either side.
    ///
    /// # Errors
    /// If there are not as many, or the device fails.
    fn density_slopes(
        &mut self,
        positions: [&[f32]; 3],
        sigma: &mut [f32],
        slopes: &mut [[f32; 3]],
    ) -> Result<(), EngineError>;

    /// The rows of a slot that is filled before densities are known, at `positions` as [`Self::density`] takes them:
    /// `[position][column]`. The processor alone has them.
    ///
    /// # Errors
    /// If there are not as many, the slot is filled later, or the device has none or fails.
    fn activations(
        &mut self,
        positions: [&[f32]; 3],
        slot: SlotId,
        out: &mut [f32],
    ) -> Result<(), EngineError> {
        let _ = (positions, slot, out);
        let what = "what looks at the layers of a field: use --device cpu".into();
        Err(EngineError::Unsupported { device: self.device(), what })
    }

    /// Visits cells of an occupancy grid in the box that the encoding covers, and notes what is found there in `density`:
    /// by cell, cascade after cascade in Morton order. A visited cell's becomes the density found, or its own times
    /// the visits' decay if that is larger; visits count in their order.
    ///
    /// # Errors
    /// If cells are named that `density` does not have, or the device fails.
    fn visit_cells(&mut self, visits: &Visits<'_>, density: &mut [f32]) -> Result<(), EngineError>;

    /// Composited outputs of `rays`, `[ray][columns]` (see [`Outputs`](crate::field::Outputs)); a ray ends where less
    /// than `min_transmittance` gets through.
    ///
    /// # Errors
    /// If the output does not fit, or the device fails.
    fn render(
        &mut self,
        rays: &[Ray],
        samples: SampleSource<'_>,
        min_transmittance: f32,
        out: &mut [f32],
    ) -> Result<(), EngineError>;
}
