//! A field that can be looked at: rendered, probed, measured and exported, by whoever holds it.
//!
//! A model stands without its trainer and without photographs: what a run folder, a checkpoint or a compact file holds is
//! enough ([`Model::open`]). A [`Trainer`](crate::Trainer) owns one, and the scene and the optimiser's state beside it.
//!
//! Cameras and points are the capture's own, in its **world frame**; that fields are trained in another one, the unit
//! frame, is undone here.

mod cameras;
mod open;
mod render;

pub use cameras::PoseChange;
pub use open::OpenOptions;

use crate::capture::Capture;
use crate::config::NerfConfig;
use crate::error::NerfError;
use crate::field::{self, SALIENCY};
use crate::frustum;
use crate::occupancy::Occupancy;
use crate::sampler::Volume;
use nalgebra::{Matrix4, Point3, Vector3};
use nerve_core::engine::{BatchEngine, Pool, TrainEngine};
use nerve_core::ops::march::Steps;
use nerve_core::ops::saliency;
use nerve_core::simd::Isa;
use nerve_data::Camera;
use nerve_data::scene::Split;
use std::time::Duration;

/// A field with all that rendering needs; see the [module](self).
pub struct Model {
    config: NerfConfig,
    pub(crate) capture: Capture,
    pub(crate) volume: Volume,
    pub(crate) engine: BatchEngine,
    pub(crate) pool: Pool,
    pub(crate) occupancy: Occupancy,
    /// Training time so far; of a model in training, when the clock was last stopped.
    pub(crate) elapsed: Duration,
    /// The share of its run that is done.
    pub(crate) progress: f64,
    /// What the pruner's multiplier has come to, for reports.
    pub(crate) gamma: f64,
}

/// What a field is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Training,
    Looking,
}

impl Model {
    /// A field with fresh weights, all of its space occupied, with room for what is learnt about so many `cameras`, on
    /// `threads` workers (0: one per core).
    pub(crate) fn new(
        config: NerfConfig,
        capture: Capture,
        cameras: usize,
        threads: usize,
        purpose: Purpose,
    ) -> Result<Self, NerfError> {
        let side = capture.frame.aabb_scale;
        let steps = Steps::new(config.march.steps_per_unit, side);
        let mut built = config.clone();
        if purpose == Purpose::Looking {
            // What is looked at is the average, if there is one.
            built.train.ema = None;
        }
        let (params, field) = field::build(&built, side, cameras)?;
        let pool = Pool::new(threads).map_err(|e| NerfError::Threads { threads, source: e.into() })?;
        let engine = BatchEngine::new(Isa::best(), pool.clone(), params, field);
        Ok(Self {
            engine: engine.with_precision(config.train.precision),
            volume: Volume { side: side as f32, steps, near: config.march.near(capture.frame.near) },
            occupancy: Occupancy::new(side, steps, None),
            pool,
            config,
            capture,
            elapsed: Duration::ZERO,
            progress: 0.0,
            gamma: 0.0,
        })
    }

    /// Takes out of the occupied cells, which are all, those that no training camera can see.
    pub(crate) fn limit_to_seen(&mut self) {
        let (capture, near, side) = (&self.capture, self.volume.near, self.capture.frame.aabb_scale);
        let trained = capture.views.iter().filter(|view| view.split == Split::Train);
        let cameras: Vec<&Camera> = trained.map(|view| &view.camera).collect();
        let cascades = Occupancy::cascades(side);
        let seen = self.pool.run(|| frustum::seen(&cameras, &capture.to_unit(), cascades, near));
        self.occupancy = Occupancy::new(side, self.volume.steps, seen);
    }

    /// The configuration of its run.
    pub fn config(&self) -> &NerfConfig {
        &self.config
    }

    /// What is known of the scene that it was trained on.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Training steps taken.
    pub fn step_count(&self) -> u64 {
        self.engine.params().step
    }

    /// Time spent in training.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
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
        let params = self.engine.params();
        let of = |group: usize| params.blocks().iter().filter(move |b| b.spec.group == group);
        let groups = params.groups.iter().enumerate();
        groups.map(|(i, g)| (g.name.as_str(), of(i).map(|b| b.weight.len()).sum())).collect()
    }

    /// Trainable values.
    pub fn parameters(&self) -> usize {
        self.engine.params().len()
    }

    /// The values of a block, if the field has it.
    pub(crate) fn block(&self, name: &str) -> Option<&[f32]> {
        self.engine.params().blocks().iter().find(|b| b.spec.name == name).map(|b| &*b.weight)
    }

    /// The logits of the saliency grid, if the field has one; x fastest.
    pub fn saliency(&self) -> Option<&[f32]> {
        self.block(SALIENCY)
    }

    /// S(G), the mean saliency.
    pub(crate) fn mean_saliency(&self) -> Option<f64> {
        self.saliency().map(|grid| saliency::mean(Isa::best(), grid))
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
