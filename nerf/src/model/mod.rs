//! A field that can be looked at: rendered, probed, measured and exported, by whoever holds it.
//!
//! A model stands without its trainer and without photographs: what a run folder, a checkpoint or a compact file holds is
//! enough ([`Model::open`]). A [`Trainer`](crate::Trainer) owns one, and the scene and the optimiser's state beside it.
//!
//! Cameras and points are the capture's own, in its **world frame**; that fields are trained in another one, the unit
//! frame, is undone here.

mod cameras;
mod normals;
mod open;
mod render;
mod surface;

pub(crate) use cameras::LearntCameras;
pub use cameras::PoseChange;
pub use normals::normals_of_depth;
pub use open::OpenOptions;
pub use render::Clip;
pub use surface::SurfaceView;

use crate::capture::Capture;
use crate::config::{NerfConfig, WHITE};
use crate::error::NerfError;
use crate::field;
use crate::frustum;
use crate::occupancy::Occupancy;
use nalgebra::{Matrix4, Point3, Vector3};
use nerve_core::device::Device;
use nerve_core::engine::{self, EngineError, Options, Pool, Purpose, TrainEngine};
use nerve_core::ops::march::{Bitfield, Steps, Volume};
use nerve_core::ops::saliency;
use nerve_core::run::Clock;
use nerve_core::simd::Isa;
use nerve_data::scene::Split;
use nerve_data::{Camera, Image8};
use std::time::Duration;

/// A field with all that rendering needs; see the module.
pub struct Model {
    pub(crate) config: NerfConfig,
    pub(crate) capture: Capture,
    pub(crate) volume: Volume,
    pub(crate) engine: Box<dyn TrainEngine>,
    /// As the engine has it, from the last time it was read.
    pub(crate) learnt: LearntCameras,
    pub(crate) pool: Pool,
    pub(crate) occupancy: Occupancy,
    /// Training time so far.
    pub(crate) clock: Clock,
    /// The share of its run that is done.
    pub(crate) progress: f64,
    /// What the pruner's multiplier has come to, for reports.
    pub(crate) gamma: f64,
    /// The mean photometric loss of the last steps, about; of files of earlier versions nothing is known.
    pub(crate) loss: Option<f64>,
}

impl Model {
    /// A field with fresh weights, all of its space occupied, with room for what is learnt about so many `cameras`, on
    /// `device` and `threads` workers (0: one per core).
    pub(crate) fn new(
        config: NerfConfig,
        capture: Capture,
        cameras: usize,
        (device, threads): (Device, usize),
        purpose: Purpose,
    ) -> Result<Self, NerfError> {
        let side = capture.frame.aabb_scale;
        let steps = Steps::new(config.march.steps_per_unit, side);
        let pool = Pool::new(threads).map_err(|e| NerfError::Threads { threads, source: e.into() })?;
        let spec = field::spec(&config, device.kind(), side, cameras);
        let mut model = Self {
            engine: engine::open(device, &spec, &Options { purpose, pool: pool.clone() })?,
            learnt: LearntCameras::default(),
            volume: Volume { side: side as f32, steps, near: config.march.near(capture.frame.near) },
            occupancy: Occupancy::new(side, steps),
            pool,
            config,
            capture,
            clock: Clock::default(),
            progress: 0.0,
            gamma: 0.0,
            loss: None,
        };
        model.read_cameras()?;
        Ok(model)
    }

    /// Takes out of the occupied cells, which are all, those that no training camera can see; the others, if some are
    /// left out.
    pub(crate) fn limit_to_seen(&mut self) -> Option<Bitfield> {
        let (capture, near, side) = (&self.capture, self.volume.near, self.capture.frame.aabb_scale);
        let trained = capture.views.iter().filter(|view| view.split == Split::Train);
        let cameras: Vec<&Camera> = trained.map(|view| &view.camera).collect();
        let cascades = Occupancy::cascades(side);
        let seen = self.pool.run(|| frustum::seen(&cameras, &capture.to_unit(), cascades, near));
        if let Some(seen) = &seen {
            self.occupancy.limit(seen.clone());
        }
        seen
    }

    /// What it is computed on.
    pub fn device(&self) -> Device {
        self.engine.device()
    }

    /// The configuration of its run.
    pub fn config(&self) -> &NerfConfig {
        &self.config
    }

    /// What is behind a rendering that is compared with a photograph: white as behind a transparent one, else what was
    /// trained on, as far as it is one color.
    pub(crate) fn behind(&self, photo: &Image8) -> [f32; 3] {
        if photo.is_opaque() { self.config.train.background.behind() } else { WHITE }
    }

    /// What is known of the scene that it was trained on.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Training steps taken.
    pub fn step_count(&self) -> u64 {
        self.engine.step_count()
    }

    /// Time spent in training.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The share of its run that was done, 0 to 1.
    pub fn progress(&self) -> f64 {
        self.progress
    }

    /// Says how far the training is, which the field may depend on.
    pub(crate) fn set_progress(&mut self, progress: f64) {
        self.progress = progress;
        self.engine.set_progress(progress);
    }

    /// Trainable values by what they are: `grid`, `mlp`, `saliency`.
    pub fn parameter_groups(&self) -> Vec<(&str, usize)> {
        self.engine.layout().params.values_by_group()
    }

    /// Trainable values.
    pub fn parameters(&self) -> usize {
        self.engine.layout().params.values()
    }

    /// Exchanges the weights with their averages, where such are kept; a second call undoes the first.
    pub(crate) fn swap_average(&mut self) -> Result<(), EngineError> {
        self.engine.swap_average()?;
        self.read_cameras()
    }

    /// Whether the field has a saliency grid.
    pub(crate) fn has_saliency(&self) -> bool {
        self.engine.layout().handles.saliency.is_some()
    }

    /// The logits of the saliency grid, if the field has one; x fastest.
    ///
    /// # Errors
    /// If they cannot be read back from the device.
    pub fn saliency(&self) -> Result<Option<Vec<f32>>, NerfError> {
        let block = self.engine.layout().handles.saliency;
        Ok(block.map(|block| self.engine.read(block)).transpose()?)
    }

    /// S(G), the mean saliency.
    pub(crate) fn mean_saliency(&self) -> Result<Option<f64>, NerfError> {
        Ok(self.saliency()?.map(|grid| saliency::mean(Isa::best(), &grid)))
    }

    /// The share of cells that rays are sampled in.
    pub fn occupied(&self) -> f64 {
        self.occupancy.share()
    }

    /// From a cube of this side around the unit cube's centre, as `[0, 1]^3`, to the world: the rows of `[A | t]`.
    pub(crate) fn box_frame(&self, side: f64) -> [[f32; 4]; 3] {
        let place = Matrix4::new_translation(&Vector3::repeat(0.5 - side / 2.0)) * Matrix4::new_scaling(side);
        let frame = self.capture.to_unit().inverse().to_homogeneous() * place;
        std::array::from_fn(|r| std::array::from_fn(|c| frame[(r, c)] as f32))
    }

    /// The corners of the box that the field fills, in the world: corner `i` has the upper end of axis `a` where bit `a`
    /// of `i` is set.
    pub fn corners(&self) -> [Point3<f64>; 8] {
        let half = f64::from(self.capture.frame.aabb_scale) / 2.0;
        std::array::from_fn(|i| {
            let axis = |a: usize| 0.5 + if i >> a & 1 == 1 { half } else { -half };
            self.capture.to_world(&Point3::new(axis(0), axis(1), axis(2)))
        })
    }
}
