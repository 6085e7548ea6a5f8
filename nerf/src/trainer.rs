//! One training step, and what surrounds it.

use crate::backdrop::Backdrop;
use crate::capture::Capture;
use crate::config::{Background, NerfConfig, TrainConfig};
use crate::error::NerfError;
use crate::gauge::Gauge;
use crate::hollow::Switch;
use crate::model::Model;
use crate::occupancy::{Eye, Refresh};
use crate::pruner::Pruner;
use crate::steering;
use crate::views::TrainingViews;
use crate::watch::Watch;
use nerve_core::device::Device;
use nerve_core::engine::{Batch, Draw, Key, Poses, Purpose, Space, Step, StepStats, ViewsId};
use nerve_core::ops::march::Bitfield;
use nerve_core::params::GroupSettings;
use nerve_data::Scene;
use nerve_data::scene::plain_background;
use std::sync::Arc;
use std::time::Duration;

/// The loss that is kept is about the mean of so many steps.
const RECENT: u64 = 100;

/// Steps between two looks at where light gets to.
const LOOK_EVERY: u64 = 32;

/// The largest share of a run given in time that one step counts for: the machine may have slept.
const LONGEST_STRIDE: f64 = 0.01;

/// The share of rays that go through pixels whose distance a point tells, where such points are learnt from.
pub(crate) const POINT_SHARE: f32 = 0.2;

/// A [`Model`] in training: beside it, the scene, and all that only training needs.
pub struct Trainer {
    pub(crate) model: Model,
    scene: Arc<Scene>,
    /// The training views, which the engine holds.
    views: ViewsId,
    pub(crate) gauge: Gauge,
    seed: u64,
    /// Keeps the model's occupancy grid true.
    refresh: Refresh,
    /// What is looked through at where light gets to; none if that does not matter.
    eyes: Vec<Eye>,
    /// Of a field with a saliency grid.
    pub(crate) pruner: Option<Pruner>,
    /// Rays of the next step.
    pub(crate) rays: usize,
    /// The share of the run that was done before the last step.
    pub(crate) last_progress: f64,
    /// The color around the scene's pictures, where it was found to be their background.
    plain: Option<[u8; 3]>,
    /// What its run reports and shows on the way.
    pub(crate) watch: Watch,
}

impl Trainer {
    /// Rays per step, at most.
    pub(crate) const MOST_RAYS: usize = 1 << 18;

    /// A field with fresh weights for `scene`, on `threads` workers (0: one per core). Where the configuration leaves
    /// open whether known distances are learnt from, the scene's points decide; what is behind it, its pictures' borders.
    ///
    /// # Errors
    /// If a setting is out of range or the scene has no training view.
    pub fn new(config: NerfConfig, scene: Arc<Scene>, threads: usize) -> Result<Self, NerfError> {
        Self::on(Device::Cpu, config, scene, threads)
    }

    /// The same on a device.
    ///
    /// # Errors
    /// Those of [`Self::new`], and if the device is not to be had or cannot run the field.
    pub fn on(
        device: Device,
        mut config: NerfConfig,
        scene: Arc<Scene>,
        threads: usize,
    ) -> Result<Self, NerfError> {
        config.validate()?;
        config.validate_on(device.kind())?;
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
        let automatic = config.train.background == Background::Auto;
        let plain = automatic.then(|| plain_background(&scene)).flatten();
        if automatic {
            config.train.background = plain.map_or(Background::Random, Background::Color);
        }
        // Of photographs that are filled to their borders, and say nothing of an empty background.
        let opaque = views.are_opaque(&scene);
        let decide =
            |asked: &mut Option<Switch>, usual: bool| *asked.get_or_insert(Switch::from(usual)) == Switch::On;
        let culls = decide(&mut config.march.cull, opaque);
        let has_backdrop = decide(
            &mut config.train.backdrop,
            opaque && !matches!(config.train.background, Background::Color(_)),
        );
        // While everything counts as occupied, a ray through the box has this many samples or more.
        let rays = (config.train.batch_samples / config.march.steps_per_unit as usize).max(1);
        let (seed, hollow) = (config.train.run.seed, config.hollow.clone());
        let mut capture = Capture::of(&scene, &views);
        capture.backdrop = if has_backdrop { Backdrop::of(&scene, &scene.splits.train) } else { None };
        let mut model = Model::new(config, capture, views.len(), (device, threads), Purpose::Train)?;
        let refresh = Refresh::new(model.limit_to_seen());
        let eyes = if culls { views.eyes(&scene) } else { Vec::new() };
        if culls {
            model.occupancy.light_up();
        }
        let held = model.engine.add_views(views.for_engine(&scene))?;
        Ok(Self {
            gauge: Gauge::new(&views.gazes()),
            seed,
            refresh,
            eyes,
            pruner: model.mean_saliency()?.map(|mean| Pruner::new(&hollow, mean)),
            model,
            views: held,
            scene,
            rays,
            last_progress: 0.0,
            plain,
            watch: Watch::default(),
        })
    }

    /// The field as it is: where an average of the weights is kept, not that (see [`Self::averaged`]).
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The same, to look at it.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Looks at the field as it is at this point of the run, at the average of its weights where one is kept, beside
    /// the scene. Training goes on as if nobody had looked.
    ///
    /// # Errors
    /// Those of looking, and if the device fails.
    pub fn averaged<T, E: From<NerfError>>(
        &mut self,
        look: impl FnOnce(&mut Model, &Scene) -> Result<T, E>,
    ) -> Result<T, E> {
        self.tell_progress();
        self.model.swap_average().map_err(NerfError::from)?;
        let seen = look(&mut self.model, &self.scene);
        self.model.swap_average().map_err(NerfError::from)?;
        seen
    }

    /// The occupancy cells that the saliency grid leaves open.
    fn open_cells(&self) -> Result<Option<Bitfield>, NerfError> {
        let (side, cascades) = (self.config().hollow.saliency_side, self.model.occupancy.bits().cascades());
        let box_side = self.model.volume.side;
        Ok(self.model.saliency()?.map(|grid| steering::open_cells(&grid, side, cascades, box_side)))
    }

    /// The pruner of a field with a saliency grid.
    pub fn pruner(&self) -> Option<&Pruner> {
        self.pruner.as_ref()
    }

    /// One training step, and the occupancy refresh that follows it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self) -> Result<StepStats, NerfError> {
        let (step, rays, progress) = (self.step_count(), self.rays, self.progress());
        self.pace_saliency(progress);
        self.prepare_cameras(progress);
        let config = self.model.config();
        let draw = Draw {
            views: self.views,
            rays,
            key: Key { seed: self.seed, step },
            background: config.train.background.into(),
            point_share: POINT_SHARE,
            poses: Poses::Learnt,
            space: Space { bits: self.model.occupancy.bits(), volume: self.model.volume },
        };
        let input = Step {
            batch: Batch::Drawn(draw),
            rate: config.train.lr * config.schedule.factor(progress) as f32,
            progress,
            pruning: self.pruner.as_ref().and_then(|p| p.slope(progress)),
            pose_levels: config.cameras.levels_at(progress, config.pose_levels()),
        };
        let (batch_samples, steers) = (config.train.batch_samples, config.steers(progress));
        let stats = self.model.engine.step(&input)?;
        self.anchor_cameras()?;
        if let Some(pruner) = &mut self.pruner {
            pruner.follow(stats.saliency, progress);
            self.model.gamma = pruner.gamma;
        }
        let share = 1.0 / (step + 1).min(RECENT) as f64;
        let loss = self.model.loss.unwrap_or(stats.loss);
        self.model.loss = Some(loss + share * (stats.loss - loss));
        // As many rays as fill the batch at this step's samples per ray; at most doubled at a time.
        let wanted = self.rays as f64 * batch_samples as f64 / stats.samples.max(1) as f64;
        self.rays = (wanted as usize).clamp(1, 2 * self.rays).min(Self::MOST_RAYS);
        let steered = steers && Refresh::is_known(step + 1);
        if Refresh::is_known(step + 1) && (step + 1).is_multiple_of(LOOK_EVERY) {
            let Model { occupancy, engine, volume, learnt, config, .. } = &mut self.model;
            let (key, poses) = (Key { seed: self.seed, step: step + 1 }, learnt.poses.as_deref());
            occupancy.look(&mut **engine, *volume, &self.eyes, poses, key, config.march.cut)?;
        }
        if Refresh::is_due(step + 1, steered) {
            self.refresh_occupancy(step + 1, steered)?;
        }
        Ok(stats)
    }

    fn refresh_occupancy(&mut self, step: u64, steered: bool) -> Result<(), NerfError> {
        let open = if steered { self.open_cells()? } else { None };
        let model = &mut self.model;
        Ok(self.refresh.run(&mut model.occupancy, &mut *model.engine, self.seed, step, open)?)
    }

    /// Sets the saliency grid's learning rate and rho so that they add up to what is given for the run.
    fn pace_saliency(&mut self, progress: f64) {
        // A run given in time takes as long for this step as it took for the last one.
        let last = (progress - self.last_progress).clamp(0.0, LONGEST_STRIDE);
        let train = &self.model.config().train;
        let stride = train.run.steps.map_or(last, |steps| 1.0 / steps as f64);
        self.last_progress = progress;
        let rate = self.model.config().hollow.saliency_travel * stride / f64::from(train.lr);
        if let Some(pruner) = &mut self.pruner {
            pruner.pace(stride);
        }
        let engine = &mut self.model.engine;
        if let Some(block) = engine.layout().handles.saliency {
            let group = engine.layout().params.group_of(block);
            engine.set_group(group, GroupSettings { rate: rate as f32, ..GroupSettings::default() });
        }
    }

    /// Tells the field how far the training is.
    pub(crate) fn tell_progress(&mut self) {
        self.model.set_progress(self.progress());
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.model.step_count()
    }

    /// The share of the run that is done.
    pub fn progress(&self) -> f64 {
        self.config().train.run.progress(self.step_count(), self.elapsed())
    }

    /// Time spent in training, over all sessions; evaluation and saving do not count.
    pub fn elapsed(&self) -> Duration {
        self.model.elapsed()
    }

    /// The plain color around the scene's opaque pictures, where [`Background::Auto`] found one and took it.
    pub fn plain_background(&self) -> Option<[u8; 3]> {
        self.plain
    }

    /// The scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// The configuration.
    pub fn config(&self) -> &NerfConfig {
        self.model.config()
    }
}
