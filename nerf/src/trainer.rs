//! The training loop.

use crate::config::{NerfConfig, TrainConfig};
use crate::field::{self, SALIENCY};
use crate::frustum;
use crate::gauge::Gauge;
use crate::pruner::Pruner;
use crate::occupancy::Occupancy;
use crate::sampler::{Occupied, Pixels, Volume};
use crate::steering;
use crate::view::{Eye, Picture};
use crate::views::TrainingViews;
use nerve_core::checkpoint::CheckpointError;
use nerve_core::engine::{BatchEngine, Pool, StepInput, StepStats, TrainEngine};
use nerve_core::metrics::MetricError;
use nerve_core::metrics::lpips::LpipsError;
use nerve_core::ops::march::{Bitfield, Steps};
use nerve_core::ops::rigid::Correction;
use nerve_core::ops::saliency;
use nerve_core::rng::Rng;
use nerve_core::settings::SettingError;
use nerve_core::simd::Isa;
use nerve_data::write::WriteError;
use nerve_data::{Camera, RayCaster, Scene};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What can go wrong in training and evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum NerfError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{scene}: no view for {what}; see `nerve inspect`, and --holdout if the files give no split")]
    NoViews { what: &'static str, scene: PathBuf },
    #[error(
        "{scene}: nothing is known of distances for --depth to learn from: there are no depth maps, and no points \
         with the views that see them; leave --depth out"
    )]
    NoDepth { scene: PathBuf },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{path}: `{key}` is {value:?}, not a number: the checkpoint is damaged, take an older one")]
    Meta { path: PathBuf, key: &'static str, value: String },
    #[error("{path}: {reason}")]
    Other { path: PathBuf, reason: String },
    #[error("cannot start {threads} worker threads: {source}")]
    Threads { threads: usize, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path}: cannot create the folder: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{path}: {reason}")]
    Compact { path: PathBuf, reason: String },
    #[error("{path}: cannot be written: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be drawn: {reason}")]
    Drawing { path: PathBuf, reason: String },
    #[error("entropy coding failed: {0}")]
    Codec(std::io::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error(transparent)]
    Lpips(#[from] LpipsError),
    #[error(
        "the loss is not finite at step {step}: the learning rate is probably too high (--lr {lr}); \
         the last checkpoint is from before"
    )]
    Diverged { step: u64, lr: f32 },
}

/// The largest share of a run given in time that one step counts for: the machine may have slept.
const LONGEST_STRIDE: f64 = 0.01;

/// A field in training.
pub struct Trainer {
    config: NerfConfig,
    scene: Arc<Scene>,
    pub(crate) views: TrainingViews,
    pub(crate) gauge: Gauge,
    pub(crate) volume: Volume,
    pub(crate) rng: Rng,
    pub(crate) engine: BatchEngine,
    pub(crate) pool: Pool,
    pub(crate) occupancy: Occupancy,
    /// Of a field with a saliency grid.
    pub(crate) pruner: Option<Pruner>,
    /// Rays of the next step.
    pub(crate) rays: usize,
    /// The share of the run that was done before the last step.
    pub(crate) last_progress: f64,
    /// Training time before `since`.
    pub(crate) before: Duration,
    /// When the clock was last started, if it runs.
    since: Option<Instant>,
}

impl Trainer {
    /// Rays per step, at most.
    pub(crate) const MOST_RAYS: usize = 1 << 18;

    /// A field with fresh weights for `scene`, on `threads` workers (0: one per core). Where the configuration leaves
    /// open whether known distances are learnt from, the scene's points decide.
    ///
    /// # Errors
    /// If a setting is out of range or the scene has no training view.
    pub fn new(mut config: NerfConfig, scene: Arc<Scene>, threads: usize) -> Result<Self, NerfError> {
        config.validate()?;
        config.schedule.validate()?;
        let mut views = TrainingViews::new(&scene);
        if views.is_empty() {
            return Err(NerfError::NoViews { what: "training", scene: scene.source.clone() });
        }
        let asked = config.train.depth;
        let wanted = asked.map_or(!scene.points.is_empty(), |weight| weight > 0.0);
        let known = wanted && views.find_points(&scene);
        if wanted && !known && asked.is_some() {
            return Err(NerfError::NoDepth { scene: scene.source.clone() });
        }
        config.train.depth = Some(if known { asked.unwrap_or(TrainConfig::POINTS) } else { 0.0 });
        let side = scene.aabb_scale;
        let steps = Steps::new(config.march.steps_per_unit, side);
        let (params, field) = field::build(&config, side, views.len())?;
        let pool = Pool::new(threads).map_err(|e| NerfError::Threads { threads, source: e.into() })?;
        let engine = BatchEngine::new(Isa::best(), pool.clone(), params, field);
        let engine = engine.with_precision(config.train.precision);
        // While everything counts as occupied, a ray through the box has this many samples or more.
        let rays = (config.train.batch_samples / config.march.steps_per_unit as usize).max(1);
        let cascades = Occupancy::cascades(side);
        let near = config.march.near(scene.near);
        let seen = pool.run(|| frustum::seen(&scene, cascades, near));
        let mut trainer = Self {
            gauge: Gauge::new(&views.gazes()),
            volume: Volume { side: side as f32, steps, near },
            occupancy: Occupancy::new(side, steps, seen),
            rng: Rng::new(config.train.seed),
            pruner: None,
            engine,
            pool,
            views,
            scene,
            config,
            rays,
            last_progress: 0.0,
            before: Duration::ZERO,
            since: None,
        };
        trainer.pruner = trainer.mean_saliency().map(|mean| Pruner::new(&trainer.config.hollow, mean));
        Ok(trainer)
    }

    /// The logits of the saliency grid, if the field has one; x fastest.
    pub fn saliency(&self) -> Option<&[f32]> {
        let blocks = self.engine.params().blocks();
        blocks.iter().find(|b| b.spec.name == SALIENCY).map(|b| &*b.weight)
    }

    /// The occupancy cells that the saliency grid leaves open.
    fn open_cells(&self) -> Option<Bitfield> {
        let (side, cascades) = (self.config.hollow.saliency_side, self.occupancy.bits().cascades());
        self.saliency().map(|grid| steering::open_cells(grid, side, cascades, self.volume.side))
    }

    /// S(G), the mean saliency.
    pub(crate) fn mean_saliency(&self) -> Option<f64> {
        self.saliency().map(|grid| saliency::mean(Isa::best(), grid))
    }

    /// The pruner of a field with a saliency grid.
    pub fn pruner(&self) -> Option<&Pruner> {
        self.pruner.as_ref()
    }

    /// One training step, and the occupancy refresh that follows it.
    pub fn step(&mut self) -> StepStats {
        let pool = self.pool.clone();
        pool.run(|| self.step_here())
    }

    fn step_here(&mut self) -> StepStats {
        let (step, rays, progress) = (self.step_count(), self.rays, self.progress());
        self.pace_saliency(progress);
        self.prepare_cameras(progress);
        let sampler = Pixels {
            scene: &self.scene,
            views: &self.views,
            volume: self.volume,
            background: self.config.train.background,
            rng: self.rng,
            step,
        };
        let marcher = Occupied { bits: self.occupancy.bits(), steps: self.volume.steps };
        let rate = self.config.train.lr * self.config.schedule.factor(progress) as f32;
        let pruning = self.pruner.as_ref().and_then(|p| p.slope(progress));
        let pose_levels = self.config.cameras.levels_at(progress, self.config.grid.levels);
        let input =
            StepInput { sampler: &sampler, marcher: &marcher, rays, rate, progress, pruning, pose_levels };
        let stats = self.engine.step(&input);
        self.anchor_cameras();
        if let Some(pruner) = &mut self.pruner {
            pruner.follow(stats.saliency, progress);
        }
        // As many rays as fill the batch at this step's samples per ray; at most doubled at a time.
        let wanted = self.rays as f64 * self.config.train.batch_samples as f64 / stats.samples.max(1) as f64;
        self.rays = (wanted as usize).clamp(1, 2 * self.rays).min(Self::MOST_RAYS);
        let steered = self.config.hollow.steers(progress) && Occupancy::is_known(step + 1);
        if Occupancy::is_due(step + 1, steered) {
            let open = steered.then(|| self.open_cells()).flatten();
            self.occupancy.refresh(&mut self.engine, self.rng, step + 1, open);
        }
        stats
    }

    /// Sets the saliency grid's learning rate and rho so that they add up to what is given for the run.
    fn pace_saliency(&mut self, progress: f64) {
        // A run given in time takes as long for this step as it took for the last one.
        let last = (progress - self.last_progress).clamp(0.0, LONGEST_STRIDE);
        let stride = self.config.train.steps.map_or(last, |steps| 1.0 / steps as f64);
        self.last_progress = progress;
        let rate = self.config.hollow.saliency_travel * stride / f64::from(self.config.train.lr);
        if let Some(pruner) = &mut self.pruner {
            pruner.pace(stride);
        }
        let groups = &mut self.engine.params_mut().groups;
        groups.iter_mut().filter(|g| g.name == SALIENCY).for_each(|g| g.rate = rate as f32);
    }

    /// Tells the engine how far the training is.
    pub(crate) fn tell_progress(&mut self) {
        let progress = self.progress();
        self.engine.set_progress(progress);
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.engine.params().step
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

    /// The share of the run that is done.
    pub fn progress(&self) -> f64 {
        match (self.config.train.steps, self.config.train.time) {
            (Some(steps), _) => self.step_count() as f64 / steps as f64,
            (None, Some(time)) => self.elapsed().as_secs_f64() / time.as_secs_f64(),
            (None, None) => 0.0,
        }
        .min(1.0)
    }

    /// Time spent in training, over all sessions; evaluation and saving do not count.
    pub fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |s| s.elapsed())
    }

    /// Starts the clock.
    pub(crate) fn start_clock(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Stops the clock.
    pub(crate) fn stop_clock(&mut self) {
        self.before = self.elapsed();
        self.since = None;
    }

    /// The share of cells that rays are sampled in.
    pub fn occupied(&self) -> f64 {
        self.occupancy.share()
    }

    /// The scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// The configuration.
    pub fn config(&self) -> &NerfConfig {
        &self.config
    }

    /// Renders a view of the scene at its own resolution; a training view from where its camera is now.
    ///
    /// # Panics
    /// If there is no such view.
    pub fn picture(&mut self, view: usize) -> Picture {
        self.picture_from(view, self.correction(view))
    }

    /// Renders a view with its pose corrected.
    ///
    /// # Panics
    /// If there is no such view.
    pub(crate) fn picture_from(&mut self, view: usize, correction: Option<Correction>) -> Picture {
        let image = &self.scene.views[view].image;
        let size = (image.width(), image.height());
        let Some(caster) = self.scene.caster(view) else { panic!("no view {view}") };
        let eye = Eye { caster, correction };
        self.through(&eye, size)
    }

    /// Renders what a camera sees, at its own resolution.
    pub fn picture_of(&mut self, camera: &Camera) -> Picture {
        let size = (camera.intrinsics.width, camera.intrinsics.height);
        let caster = RayCaster::with_frame(camera, &self.scene.frame);
        self.through(&Eye { caster, correction: None }, size)
    }

    fn through(&mut self, eye: &Eye, size: (u32, u32)) -> Picture {
        let bits = self.occupancy.bits();
        let (engine, pool) = (&mut self.engine, &self.pool);
        pool.run(|| Picture::render(engine, bits, &self.volume, self.config.march.cut, eye, size))
    }

    /// Exchanges the weights with their average, where one is kept; a second call undoes the first.
    pub fn swap_average(&mut self) {
        self.engine.params_mut().swap_average();
    }
}
