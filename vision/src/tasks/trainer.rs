//! A model of several tasks in training.
use std::sync::Arc;
use std::time::Duration;

use nerve_core::device::{Device, DeviceKind};
use nerve_core::graph::{GroupSummary, Mode, ParamGroup, Randomness, device_kind};
use nerve_core::run::Clock;
use nerve_data::tasks::{TaskSet, TaskSplit};

use super::batches::{Batches, Recipe};
use super::task::{Share, TasksTask};
use super::{MultiTask, TaskSpec, TasksConfig, TasksError};
use crate::segmentation::Step;
use crate::stepper::Stepper;
use crate::task::Task;

/// A run in the making.
pub struct Trainer {
    pub(super) config: TasksConfig,
    pub(super) set: Arc<TaskSet>,
    pub(super) task: TasksTask,
    pub(super) stepper: Stepper,
    recipe: Recipe,
    batches: Option<Batches>,
    pub(super) step: u64,
    pub(super) clock: Clock,
    /// What the last step of a run did, for reports.
    pub(super) last: Step,
}

impl Trainer {
    /// A trainer on `device` of a new model.
    ///
    /// # Errors
    /// If a setting is out of range, the split does not exist, or the weights or the device cannot be used.
    pub fn new(config: TasksConfig, set: Arc<TaskSet>, device: Device) -> Result<Self, TasksError> {
        config.validate()?;
        let model = MultiTask::new(&config.model, &TaskSpec::of(&set), config.train.run.seed, device)?;
        Self::with(config, set, model)
    }

    /// A trainer of this model.
    pub(super) fn with(config: TasksConfig, set: Arc<TaskSet>, model: MultiTask) -> Result<Self, TasksError> {
        let device = model.variables().device().clone();
        let task = TasksTask::new(model, &config);
        let stepper = Stepper::new(&task, None)?;
        let images = config.data.limited(set.split(&config.data.train_split)?).images;
        let recipe = Recipe {
            set: set.clone(),
            images: images.into(),
            augment: config.augment.sampler(),
            batch: config.train.batch,
            seed: config.train.run.seed,
            device,
        };
        Ok(Self {
            config,
            set,
            task,
            stepper,
            recipe,
            batches: None,
            step: 0,
            clock: Clock::default(),
            last: Step::default(),
        })
    }

    /// The run's configuration.
    #[must_use]
    pub fn config(&self) -> &TasksConfig {
        &self.config
    }

    /// The kind of device that it computes on.
    #[must_use]
    pub fn device(&self) -> DeviceKind {
        device_kind(self.model().variables().device())
    }

    /// The data.
    #[must_use]
    pub fn set(&self) -> &Arc<TaskSet> {
        &self.set
    }

    /// What is trained.
    #[must_use]
    pub fn model(&self) -> &MultiTask {
        &self.task.model
    }

    /// The parameter groups, and how many weights each has.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupSummary> {
        ParamGroup::summaries(&self.task.groups(), self.task.variables())
    }

    /// Finished steps.
    #[must_use]
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Images seen so far.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.step * self.config.train.batch as u64
    }

    /// Training time so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The split to measure on.
    #[must_use]
    pub fn held_out(&self) -> Option<TaskSplit> {
        self.config.data.held_out(&self.set)
    }

    /// One step: a batch forward and backward, a share of its tasks at a time, and the optimizer.
    ///
    /// # Errors
    /// If an image cannot be read, or the loss is not finite: the weights stay as they were then.
    pub fn step(&mut self) -> Result<Step, TasksError> {
        let train = &self.config.train;
        let mode = Mode::Train(Randomness { seed: train.run.seed, step: self.step });
        let recipe = &self.recipe;
        let batches = self.batches.get_or_insert_with(|| recipe.clone().batches(self.step));
        let batch = Arc::new(batches.next(TasksError::Reader)?);
        let shares = self.task.model.shares();
        let of = shares.len();
        let mut rest = shares.into_iter();
        let next = || match rest.next() {
            Some(tasks) => Ok(Share { batch: batch.clone(), tasks, of }),
            None => Err(TasksError::Reader),
        };
        let loss = self.stepper.backward(&self.task, mode, of, next)?;
        let norm = self.stepper.norm();
        let warmup = (self.step + 1) as f64 / train.warmup_steps.max(1) as f64;
        let progress = train.run.progress(self.step, self.clock.elapsed());
        let factor = warmup.min(1.0) * self.config.schedule.by_progress().factor(progress);
        if !(loss.total.is_finite() && norm.is_finite()) {
            return Err(TasksError::Diverged { step: self.step, rate: train.lr });
        }
        self.stepper.update(factor, norm, train.clip)?;
        self.step += 1;
        Ok(Step { loss: loss.total, parts: loss.parts, norm, factor })
    }
}
