//! A whole run: steps, events, checkpoints, until the end or a cancellation.
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nerve_core::run::{Cancel, Class, DoneReason, Event, Events, ImageRole, LabelRole};
use nerve_data::labels::Labelled;

use super::trainer::Step;
use super::{Evaluation, Inference, Prediction, SegmentationError, Trainer, evaluate};

/// Steps between two reports.
pub const REPORT_EVERY: u64 = 10;
/// How long a checkpoint waits for the log to reach its step.
const FLUSH: Duration = Duration::from_secs(5);
/// Pictures of an evaluation that are shown.
const SHOWN: usize = 4;

struct Window {
    since: Instant,
    steps: u64,
    loss: f64,
    last: Step,
}

impl Window {
    fn new() -> Self {
        Self { since: Instant::now(), steps: 0, loss: 0.0, last: Step::default() }
    }
}

impl Trainer {
    /// Trains until the configured end or until `cancel`, publishing scalars every [`REPORT_EVERY`] steps, measuring and
    /// saving as configured and at the end. `counts` are what the trainer was made with.
    ///
    /// # Errors
    /// If a picture cannot be read (after saving), the loss stops being finite (the last checkpoint stays), or a checkpoint cannot be written.
    pub fn run(
        &mut self,
        checkpoint: &Path,
        counts: &[u64],
        events: &Events,
        cancel: &Cancel,
    ) -> Result<DoneReason, SegmentationError> {
        let save_every = Duration::from_secs_f64(self.config.train.save_every);
        let mut saved = Instant::now();
        let mut window = Window::new();
        events.publish(Event::Classes { classes: self.classes() });
        self.start_clock();
        while self.progress() < 1.0 && !cancel.is_cancelled() {
            let step = match self.step() {
                Ok(step) => step,
                Err(error) => {
                    // What was learnt is kept, but not where it has run away: the weights are there, and the norms'
                    // running statistics have seen it.
                    if !matches!(error, SegmentationError::Diverged { .. }) {
                        self.keep(checkpoint, counts, events)?;
                    }
                    return Err(error);
                }
            };
            window.steps += 1;
            window.loss += step.loss;
            window.last = step;
            if self.step.is_multiple_of(REPORT_EVERY) {
                self.report(&window, events);
                window = Window::new();
            }
            if self.config.train.eval_every.is_some_and(|every| self.step.is_multiple_of(every)) {
                self.stop_clock();
                self.measure(&Inference::default(), events, cancel)?;
                self.start_clock();
                window.since = Instant::now();
            }
            if saved.elapsed() >= save_every {
                self.keep(checkpoint, counts, events)?;
                saved = Instant::now();
            }
        }
        if window.steps > 0 {
            self.report(&window, events);
        }
        self.keep(checkpoint, counts, events)?;
        self.stop_clock();
        Ok(if self.progress() < 1.0 { DoneReason::Cancelled } else { DoneReason::Finished })
    }

    /// The classes, as events name them.
    #[must_use]
    pub fn classes(&self) -> Arc<[Class]> {
        let class = |c: &nerve_data::labels::Class| Class { name: c.name.clone(), color: c.color };
        self.set.classes.iter().map(class).collect()
    }

    /// Saves with the clock stopped, after the log has caught up: it never ends before the checkpoint's step.
    fn keep(&mut self, path: &Path, counts: &[u64], events: &Events) -> Result<(), SegmentationError> {
        self.stop_clock();
        events.flush(FLUSH);
        self.save(path, counts)?;
        self.start_clock();
        Ok(())
    }

    /// Measures the held-out split, with averaged weights where they are kept, and shows a few pictures. None if there
    /// is no such split, or it was cancelled.
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
        let every = split.pairs.len().div_ceil(SHOWN).max(1);
        let step = self.step;
        self.stepper.optimizer_mut().swap_average()?;
        let mut show = |place: usize, labelled: &Labelled, found: &Prediction| {
            if place.is_multiple_of(every) {
                let stem = split.pairs[place].image.file_stem().unwrap_or_default();
                publish_picture(events, step, &stem.to_string_lossy(), labelled, found);
            }
        };
        let measured = evaluate(&self.task.segmenter, &self.set, &split, inference, false, cancel, &mut show);
        self.stepper.optimizer_mut().swap_average()?;
        let Some(evaluation) = measured? else { return Ok(None) };
        publish_scores(events, step, self.elapsed(), &evaluation);
        Ok(Some(evaluation))
    }

    fn report(&self, window: &Window, events: &Events) {
        let (n, seconds) = (window.steps as f64, window.since.elapsed().as_secs_f64().max(1e-9));
        let progress = self.progress();
        let eta = self.elapsed().as_secs_f64() * (1.0 - progress) / progress.max(1e-9);
        let images = n * (self.config.train.batch * self.config.train.accumulate) as f64;
        let mut values = vec![
            ("loss".into(), window.loss / n),
            ("lr".into(), f64::from(self.config.train.lr) * window.last.factor),
            ("gradient_norm".into(), window.last.norm),
            ("progress".into(), progress),
            ("eta_s".into(), eta),
            ("images_per_s".into(), images / seconds),
            ("images".into(), self.images() as f64),
        ];
        if let [_, _, ..] = window.last.parts[..] {
            let part = |(name, value): &(String, f64)| (format!("loss/{name}").into(), *value);
            values.extend(window.last.parts.iter().map(part));
        }
        events.publish(Event::Scalars { step: self.step, elapsed: self.elapsed(), values });
    }
}

/// Figures of an evaluation.
pub fn publish_scores(events: &Events, step: u64, elapsed: Duration, evaluation: &Evaluation) {
    let scores = &evaluation.scores;
    let named = [
        ("eval/mIoU", scores.mean_iou),
        ("eval/aAcc", scores.all_accuracy),
        ("eval/mAcc", scores.mean_accuracy),
        ("eval/mBF", scores.mean_boundary_f),
    ];
    let values = named.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect();
    events.publish(Event::Scalars { step, elapsed, values });
    let ious = scores.classes.iter().map(|c| c.iou.unwrap_or(f64::NAN)).collect();
    events.publish(Event::PerClass { step, name: "iou".into(), values: ious });
    let (classes, counts) = (evaluation.confusion.classes(), evaluation.confusion.counts().into());
    events.publish(Event::Confusion { step, classes, counts });
}

/// A picture, its labels, and what was found in it.
pub fn publish_picture(events: &Events, step: u64, name: &str, labelled: &Labelled, found: &Prediction) {
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
    let role = nerve_core::run::MapRole::Score;
    events.publish(Event::Map { step, name, role, width, height, values });
}
