//! A segmenter in training: its steps, and what they depend on.
use std::sync::Arc;
use std::time::Duration;

use nerve_core::device::{Device, DeviceKind};
use nerve_core::graph::{GroupSummary, Mode, ParamGroup, Randomness, device_kind};
use nerve_core::run::Clock;
use nerve_data::augment::{Augment, ColorJitter};
use nerve_data::labels::{LabelSet, LabelSplit};

use super::batches::{Batches, Recipe};
use super::guided;
use super::task::SegmentationTask;
use super::{DataConfig, SegConfig, SegmentationError, Segmenter, SemanticSegmenter};
use crate::load::LoadReport;
use crate::stepper::Stepper;
use crate::task::Task;

/// What one step did.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The loss, a mean over the step's batches.
    pub loss: f64,
    /// Its parts before they are weighted, by name.
    pub parts: Vec<(String, f64)>,
    /// The norm of all gradients together, before it was limited.
    pub norm: f64,
    /// The schedule's factor of the learning rates.
    pub factor: f64,
}

/// A run in the making.
pub struct Trainer {
    pub(super) config: SegConfig,
    pub(super) set: Arc<LabelSet>,
    pub(super) task: SegmentationTask,
    pub(super) stepper: Stepper,
    /// Pixels of each class in the training split.
    pub(super) class_pixels: Vec<u64>,
    loaded: Option<LoadReport>,
    recipe: Recipe,
    batches: Option<Batches>,
    pub(super) step: u64,
    pub(super) clock: Clock,
    /// What the last step of a run did, for reports.
    pub(super) last: Step,
}

impl Trainer {
    /// A trainer on `device` with new variables, those of the backbone from its weights if there are any. `class_pixels` are the
    /// pixels of each class in the training split.
    ///
    /// # Errors
    /// If a setting is out of range, the split does not exist, or the weights or the device cannot be used.
    pub fn new(
        config: SegConfig,
        set: Arc<LabelSet>,
        class_pixels: &[u64],
        device: Device,
    ) -> Result<Self, SegmentationError> {
        let names: Vec<String> = set.classes.iter().map(|class| class.name.clone()).collect();
        let mut segmenter = guided::segmenter(&config, &names, device)?;
        let weights = config.model.weights.as_deref();
        let loaded = weights.map(|path| segmenter.load_backbone(path, &config.model)).transpose()?;
        Ok(Self { loaded, ..Self::with(config, set, segmenter, class_pixels)? })
    }

    /// A trainer of this segmenter.
    pub(super) fn with(
        config: SegConfig,
        set: Arc<LabelSet>,
        segmenter: Segmenter,
        class_pixels: &[u64],
    ) -> Result<Self, SegmentationError> {
        config.validate()?;
        let train = &config.train;
        let average = (train.ema > 0.0).then_some(train.ema);
        let device = segmenter.variables().device().clone();
        let normalise = segmenter.normalise();
        let task = SegmentationTask::new(segmenter, &config, class_pixels);
        let stepper = Stepper::new(&task, average)?;
        let pairs = config.data.limited(set.split(&config.data.train_split)?).pairs;
        let augment = &config.augment;
        let augment = Augment {
            crop: augment.crop,
            scale: [augment.scale_min, augment.scale_max],
            max_class_share: augment.max_class_share,
            flip: if augment.no_flip { 0.0 } else { 0.5 },
            color: ColorJitter::of_strength(augment.photometric as f32),
            normalise,
            ..Augment::default()
        };
        let recipe = Recipe {
            set: set.clone(),
            pairs: pairs.into(),
            augment,
            batch: config.train.batch,
            seed: config.train.run.seed,
            device,
        };
        Ok(Self {
            config,
            set,
            task,
            stepper,
            class_pixels: class_pixels.to_vec(),
            loaded: None,
            recipe,
            batches: None,
            step: 0,
            clock: Clock::default(),
            last: Step::default(),
        })
    }

    /// The run's configuration.
    #[must_use]
    pub fn config(&self) -> &SegConfig {
        &self.config
    }

    /// The kind of device that it computes on.
    #[must_use]
    pub fn device(&self) -> DeviceKind {
        device_kind(self.segmenter().variables().device())
    }

    /// The label set.
    #[must_use]
    pub fn set(&self) -> &Arc<LabelSet> {
        &self.set
    }

    /// What is trained.
    #[must_use]
    pub fn segmenter(&self) -> &Segmenter {
        &self.task.segmenter
    }

    /// The parameter groups, and how many weights each has.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupSummary> {
        ParamGroup::summaries(&self.task.groups(), self.task.variables())
    }

    /// What was found in the weights that it began with, if there were any.
    #[must_use]
    pub fn loaded(&self) -> Option<&LoadReport> {
        self.loaded.as_ref()
    }

    /// Finished steps.
    #[must_use]
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Images seen so far.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.step * (self.config.train.batch * self.config.train.accumulate) as u64
    }

    /// Training time so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How much of the run is done, 0 to 1.
    #[must_use]
    pub fn progress(&self) -> f64 {
        self.config.train.run.progress(self.step, self.elapsed())
    }

    /// The split to measure on; see [`DataConfig::held_out`].
    #[must_use]
    pub fn held_out(&self) -> Option<LabelSplit> {
        self.config.data.held_out(&self.set)
    }

    /// One step: its batches forward and backward, and the optimizer.
    ///
    /// # Errors
    /// If an image cannot be read, or the loss is not finite: the weights stay as they were then.
    pub fn step(&mut self) -> Result<Step, SegmentationError> {
        let train = &self.config.train;
        let mode = Mode::Train(Randomness { seed: train.run.seed, step: self.step });
        let first = self.step * train.accumulate as u64;
        let recipe = &self.recipe;
        let batches = self.batches.get_or_insert_with(|| recipe.clone().batches(first));
        let loss = self
            .stepper
            .backward(&self.task, mode, train.accumulate, || batches.next(SegmentationError::Reader))?;
        let norm = self.stepper.norm();
        let warmup = (self.step + 1) as f64 / train.warmup_steps.max(1) as f64;
        let factor = warmup.min(1.0) * self.config.schedule.by_progress().factor(self.progress());
        if !(loss.total.is_finite() && norm.is_finite()) {
            return Err(SegmentationError::Diverged { step: self.step, rate: train.lr });
        }
        self.stepper.update(factor, norm, train.clip)?;
        self.step += 1;
        Ok(Step { loss: loss.total, parts: loss.parts, norm, factor })
    }
}

impl DataConfig {
    /// The split to measure on, at most as many images as the configuration says; None if there is none.
    #[must_use]
    pub fn held_out(&self, set: &LabelSet) -> Option<LabelSplit> {
        let split = match self.val_split.as_deref() {
            Some(name) => set.split(name).ok(),
            None => set.held_out(),
        }?;
        Some(self.limited(split))
    }

    /// A split with at most as many images as the configuration says, spread over it.
    #[must_use]
    pub fn limited(&self, split: &LabelSplit) -> LabelSplit {
        let all = split.pairs.len();
        let most = self.max_images.unwrap_or(all).clamp(1, all.max(1));
        // Neighbours are often frames of one video.
        let pairs = (0..most).filter_map(|i| split.pairs.get(i * all / most).cloned()).collect();
        LabelSplit { pairs, ..split.clone() }
    }
}
