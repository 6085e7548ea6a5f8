//! A segmenter in core's training loop: its reports, evaluations and previews.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nerve_core::run::{
    Cancel, Class, Clock, DoneReason, Event, Events, ImageRole, LabelRole, MapRole, Metric, Rate,
    ReportWindow, RunConfig, Trainee, TrainingReport, drive,
};
use nerve_data::labels::{LabelSet, LabelSplit, Labelled};

use super::{Evaluation, Inference, Prediction, SegmentationError, Segmenter, Trainer, evaluate};

/// How many images of an evaluation are published.
const SHOWN: usize = 4;

impl Trainee for Trainer {
    type Error = SegmentationError;
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

    fn begin(&mut self, events: &Events) {
        events.publish(Event::Classes { classes: class_names(&self.set) });
    }

    fn step(&mut self) -> Result<f64, SegmentationError> {
        self.last = Self::step(self)?;
        Ok(self.last.loss)
    }

    fn has_diverged(error: &SegmentationError) -> bool {
        // The weights are there still, but the norms' running statistics have seen it.
        matches!(error, SegmentationError::Diverged { .. })
    }

    fn report(&mut self, window: &ReportWindow, _: &Events) -> Result<TrainingReport, SegmentationError> {
        let train = &self.config.train;
        let images = window.steps as f64 * (train.batch * train.accumulate) as f64;
        let images_per_s = images / window.seconds;
        let mut values = vec![
            ("lr".into(), f64::from(train.lr) * self.last.factor),
            ("gradient_norm".into(), self.last.norm),
            ("images_per_s".into(), images_per_s),
            ("images".into(), self.images() as f64),
        ];
        if let [_, _, ..] = self.last.parts[..] {
            let part = |(name, value): &(String, f64)| (format!("loss/{name}").into(), *value);
            values.extend(self.last.parts.iter().map(part));
        }
        Ok(TrainingReport { rates: vec![Rate::new(images_per_s, "pictures")], metric: None, values })
    }

    fn evaluate(&mut self, events: &Events, cancel: &Cancel) -> Result<(), SegmentationError> {
        self.measure(&Inference::default(), events, cancel).map(drop)
    }

    fn save(&mut self, checkpoint: &Path) -> Result<(), SegmentationError> {
        Self::save(self, checkpoint)
    }
}

impl Trainer {
    /// Trains until the configured end or until `cancel`; see [`drive`].
    ///
    /// # Errors
    /// If a picture cannot be read (after saving), the loss stops being finite (the last checkpoint stays), or a
    /// checkpoint cannot be written.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<DoneReason, SegmentationError> {
        drive(self, checkpoint, events, cancel)
    }

    /// Evaluates the held-out split, with averaged weights where they are kept, and publishes scores and a few pictures.
    /// `None` if there is no such split, or if it was cancelled.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn measure(
        &mut self,
        inference: &Inference,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<Option<Evaluation>, SegmentationError> {
        let Some(split) = self.held_out() else { return Ok(None) };
        let at = (self.step, self.elapsed());
        self.stepper.optimizer_mut().swap_average()?;
        let measured = show(&self.task.segmenter, &self.set, &split, inference, at, events, cancel);
        self.stepper.optimizer_mut().swap_average()?;
        measured
    }
}

/// The classes of a set, as events name them.
#[must_use]
pub fn class_names(set: &LabelSet) -> Arc<[Class]> {
    let class = |c: &nerve_data::labels::Class| Class { name: c.name.clone(), color: c.color };
    set.classes.iter().map(class).collect()
}

/// Measures a segmenter on a split after so many steps and so much time of training, and publishes what was found: the
/// scores, and a few pictures. None if it was cancelled.
///
/// # Errors
/// If a picture cannot be read.
pub fn show(
    segmenter: &Segmenter,
    set: &LabelSet,
    split: &LabelSplit,
    inference: &Inference,
    (step, elapsed): (u64, Duration),
    events: &Events,
    cancel: &Cancel,
) -> Result<Option<Evaluation>, SegmentationError> {
    let every = split.pairs.len().div_ceil(SHOWN).max(1);
    let mut seen = |place: usize, labelled: &Labelled, found: &Prediction| {
        if place.is_multiple_of(every) {
            let stem = split.pairs[place].image.file_stem().unwrap_or_default();
            publish_picture(events, step, &stem.to_string_lossy(), labelled, found);
        }
    };
    let measured = evaluate(segmenter, set, split, inference, false, cancel, &mut seen)?;
    let Some(evaluation) = measured else { return Ok(None) };
    publish_scores(events, step, elapsed, &evaluation);
    Ok(Some(evaluation))
}

/// Publishes the scores of an evaluation.
fn publish_scores(events: &Events, step: u64, elapsed: Duration, evaluation: &Evaluation) {
    let scores = &evaluation.scores;
    let named = [
        ("eval/mIoU", scores.mean_iou),
        ("eval/aAcc", scores.all_accuracy),
        ("eval/mAcc", scores.mean_accuracy),
        ("eval/mBF", scores.mean_boundary_f),
    ];
    let values = named.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect();
    events.publish(Event::Scalars { step, elapsed, values });
    let told = [("mIoU", scores.mean_iou), ("pixel accuracy", scores.all_accuracy)];
    let scores_told =
        told.into_iter().filter_map(|(name, value)| Some(Metric::share(name, value?))).collect();
    events.publish(Event::Scores { step, scores: scores_told });
    let ious = scores.classes.iter().map(|c| c.iou.unwrap_or(f64::NAN)).collect();
    events.publish(Event::PerClass { step, name: "iou".into(), values: ious });
    let (classes, counts) = (evaluation.confusion.classes(), evaluation.confusion.counts().into());
    events.publish(Event::Confusion { step, classes, counts });
}

/// Publishes an image, its labels, and the prediction with its confidence.
fn publish_picture(events: &Events, step: u64, name: &str, labelled: &Labelled, found: &Prediction) {
    let (height, width) = labelled.mask.dim();
    let data: Arc<[u8]> = labelled.image.iter().copied().collect();
    let (name, role) = (name.to_owned(), ImageRole::Input);
    events.publish(Event::Image { step, name: name.clone(), role, width, height, channels: 3, data });
    let maps = [(LabelRole::GroundTruth, &labelled.mask), (LabelRole::Prediction, &found.labels)];
    for (role, mask) in maps {
        let labels = mask.iter().map(|l| u16::from(*l)).collect();
        events.publish(Event::Labels { step, name: name.clone(), role, width, height, labels });
    }
    let values = found.confidence.iter().copied().collect();
    let role = MapRole::Score;
    events.publish(Event::Map { step, name, role, width, height, values });
}
