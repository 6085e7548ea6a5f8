//! A model of several tasks in core's training loop: its reports, evaluations and previews.
use std::path::Path;
use std::time::Duration;

use ndarray::Array3;
use nerve_core::run::{
    Cancel, Clock, DoneReason, Event, Events, ImageRole, Metric, Rate, ReportWindow, RunConfig, Trainee,
    TrainingReport, drive,
};
use nerve_data::tasks::{TaskSample, TaskSet, TaskSplit};

use super::{
    Evaluation, MultiTask, TaskPrediction, TaskSpec, TasksError, Trainer, evaluate, montage, picture,
    truth_picture,
};

/// How many images of an evaluation are published.
const SHOWN: usize = 4;

impl Trainee for Trainer {
    type Error = TasksError;
    const REPORT_EVERY: u64 = 10;

    fn run_config(&self) -> &RunConfig {
        &self.config.train.run
    }

    fn step_count(&self) -> u64 {
        self.step
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    fn step(&mut self) -> Result<f64, TasksError> {
        self.last = Self::step(self)?;
        Ok(self.last.loss)
    }

    fn has_diverged(error: &TasksError) -> bool {
        // The weights are there still, but the norms' running statistics have seen it.
        matches!(error, TasksError::Diverged { .. })
    }

    fn report(&mut self, window: &ReportWindow, _: &Events) -> Result<TrainingReport, TasksError> {
        let train = &self.config.train;
        let images_per_s = window.steps as f64 * train.batch as f64 / window.seconds;
        let mut values = vec![
            ("lr".into(), f64::from(train.lr) * self.last.factor),
            ("gradient_norm".into(), self.last.norm),
            ("images_per_s".into(), images_per_s),
            ("images".into(), self.images() as f64),
        ];
        let part = |(name, value): &(String, f64)| (format!("loss/{name}").into(), *value);
        values.extend(self.last.parts.iter().map(part));
        Ok(TrainingReport { rates: vec![Rate::new(images_per_s, "pictures")], metric: None, values })
    }

    fn evaluate(&mut self, events: &Events, cancel: &Cancel) -> Result<(), TasksError> {
        self.measure(events, cancel).map(drop)
    }

    fn save(&mut self, checkpoint: &Path) -> Result<(), TasksError> {
        Self::save(self, checkpoint)
    }
}

impl Trainer {
    /// Trains until the configured end or until `cancel`; see [`drive`].
    ///
    /// # Errors
    /// If an image cannot be read (after saving), the loss stops being finite (the last checkpoint stays), or a
    /// checkpoint cannot be written.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<DoneReason, TasksError> {
        drive(self, checkpoint, events, cancel)
    }

    /// Evaluates the held-out split and publishes scores and a few pictures. None if there is no such split, or if it was
    /// cancelled.
    ///
    /// # Errors
    /// If an image cannot be read.
    pub fn measure(&mut self, events: &Events, cancel: &Cancel) -> Result<Option<Evaluation>, TasksError> {
        let Some(split) = self.held_out() else { return Ok(None) };
        show(self.model(), &self.set, &split, (self.step, self.elapsed()), events, cancel)
    }
}

/// Measures a model on a split after so many steps and so much time of training, and publishes what was found: the scores,
/// and of a few images all tasks' predictions and labels side by side. None if it was cancelled.
///
/// # Errors
/// If an image cannot be read.
pub fn show(
    model: &MultiTask,
    set: &TaskSet,
    split: &TaskSplit,
    (step, elapsed): (u64, Duration),
    events: &Events,
    cancel: &Cancel,
) -> Result<Option<Evaluation>, TasksError> {
    let every = split.images.len().div_ceil(SHOWN).max(1);
    let served = model.served()?;
    let mut seen = |place: usize, sample: &TaskSample, found: &[TaskPrediction]| {
        if place.is_multiple_of(every) {
            let stem = split.images[place].image.file_stem().unwrap_or_default();
            publish(events, step, &stem.to_string_lossy(), model.tasks(), sample, found);
        }
    };
    let Some(evaluation) = evaluate(&served, set, split, cancel, &mut seen)? else { return Ok(None) };
    let named = evaluation.scores.iter().filter_map(|score| Some((score, score.value?)));
    let values = named.clone().map(|(score, value)| (format!("eval/{}", score.task).into(), value)).collect();
    events.publish(Event::Scalars { step, elapsed, values });
    let scores =
        named.map(|(score, value)| Metric::number(format!("{} {}", score.task, score.metric), value));
    events.publish(Event::Scores { step, scores: scores.collect() });
    Ok(Some(evaluation))
}

/// Publishes an image, and its tasks' labels and predictions side by side.
fn publish(
    events: &Events,
    step: u64,
    name: &str,
    tasks: &[TaskSpec],
    sample: &TaskSample,
    found: &[TaskPrediction],
) {
    let image = sample.image.view();
    let truth = tasks.iter().zip(&sample.labels).map(|(task, label)| truth_picture(task, image, label));
    let found = tasks.iter().zip(found).map(|(task, found)| picture(task, image, found));
    let pictures = [
        (ImageRole::Input, sample.image.clone()),
        (ImageRole::GroundTruth, montage(&truth.collect::<Vec<_>>())),
        (ImageRole::Prediction, montage(&found.collect::<Vec<_>>())),
    ];
    for (role, picture) in pictures {
        let (height, width, channels) = Array3::dim(&picture);
        let data = picture.iter().copied().collect();
        events.publish(Event::Image { step, name: name.to_owned(), role, width, height, channels, data });
    }
}
