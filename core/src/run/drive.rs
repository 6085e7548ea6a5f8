//! The training loop: one for everything that can step, evaluate and save.
//!
//! [`drive`] owns what all kinds of runs share: the clock, the windows between reports, progress and the time left, when
//! to evaluate, to make pictures and to save, cancellation, and what is done about a step or a save that fails. A [`Trainee`]
//! owns the rest: what a step is, what it reports beside its loss, how it is measured, what is in its checkpoint.
//!
//! # A new kind of run
//! It implements [`Trainee`] for its trainer. In the binary it gets a variant of `Kind` and an implementation of `Job`.
//!
//! # Several ranks
//! There are none yet. A run on several processes or devices would come in at four places, and nowhere else:
//!
//! - **What a rank learns from.** Samples are a function of seed, stream, step and index, so rank `r` of `n` takes the
//!   indices `r, r + n, r + 2 n ...` of a step's rays or of its batch: in the draw of a field's step and in the
//!   segmenter's batches. What adapts to the samples of a step, such as its number of rays, must be computed from all ranks' sums.
//! - **Gradients** are summed over ranks between the backward pass and the update: in the order of ranks, whatever order
//!   they arrive in, so that a run given in steps still ends bit for bit the same. For graphs that is between the
//!   gradients' norm and `Optimizer::step` (variables in the order of their keys); for fields between the scatter into a
//!   table and its update, level by level.
//! - **The run's folder and its sinks** are rank 0's: it alone holds the lock, saves, publishes and evaluates; the
//!   others drive with no checkpoint and with [`Events`] that nobody listens to, and wait for rank 0 where it pauses.
//! - **Ends.** `cancel` and a divergence are agreed upon before the next step, since a rank that leaves alone leaves the
//!   others waiting.
use std::{
    borrow::Cow,
    fmt::Display,
    path::Path,
    time::{Duration, Instant},
};

use super::{Cancel, Clock, DoneReason, Event, Events, Level, Metric, Rate, RunConfig};

/// How long a checkpoint waits for the log to reach its step.
const FLUSH: Duration = Duration::from_secs(5);

/// What [`drive`] drives.
pub trait Trainee {
    /// What can go wrong.
    type Error: Display;

    /// Steps between two reports.
    const REPORT_EVERY: u64;

    /// How long the run is and what happens on the way.
    fn run_config(&self) -> &RunConfig;

    /// Finished steps.
    fn step_count(&self) -> u64;

    /// The run's clock: the time spent in training. It stands whenever the run is not in a step.
    fn clock(&self) -> &Clock;

    /// The same, to start and stop it.
    fn clock_mut(&mut self) -> &mut Clock;

    /// The share of the run that is done, 0 to 1.
    fn progress(&self) -> f64 {
        self.run_config().progress(self.step_count(), self.clock().elapsed())
    }

    /// Publishes what is said once, before the first step.
    fn begin(&mut self, events: &Events) {
        let _ = events;
    }

    /// Takes one step and returns its loss.
    ///
    /// # Errors
    /// What keeps the run from going on. Unless [it has diverged](Self::has_diverged), what was learnt is saved.
    fn step(&mut self) -> Result<f64, Self::Error>;

    /// Whether an error of [`Self::step`] means that the weights have run away: they are not saved over those that were
    /// well.
    fn has_diverged(error: &Self::Error) -> bool;

    /// What is to be said about the steps since the last report; what is no number is published here.
    ///
    /// # Errors
    /// What ends the run.
    fn report(&mut self, window: &ReportWindow, events: &Events) -> Result<TrainingReport, Self::Error>;

    /// Measures on held-out data on the way, not after the last step, and publishes what was found; nothing if there is
    /// none.
    ///
    /// # Errors
    /// What ends the run.
    fn evaluate(&mut self, events: &Events, cancel: &Cancel) -> Result<(), Self::Error>;

    /// Whether it is time for pictures.
    fn is_preview_due(&self) -> bool {
        false
    }

    /// Makes and publishes pictures.
    ///
    /// # Errors
    /// What ends the run.
    fn preview(&mut self, events: &Events) -> Result<(), Self::Error> {
        let _ = events;
        Ok(())
    }

    /// Writes all that going on needs; the file appears whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written; the last one is then still there.
    fn save(&mut self, checkpoint: &Path) -> Result<(), Self::Error>;

    /// Publishes what is said once, after the last checkpoint.
    ///
    /// # Errors
    /// What failed; the checkpoint is written.
    fn end(&mut self, events: &Events) -> Result<(), Self::Error> {
        let _ = events;
        Ok(())
    }
}

/// The steps since the last report.
#[derive(Clone, Copy, Debug)]
pub struct ReportWindow {
    /// How many.
    pub steps: u64,
    /// Seconds of training that they took.
    pub seconds: f64,
    /// Their mean loss.
    pub loss: f64,
    /// The share of the run that is done.
    pub progress: f64,
}

/// What a [`Trainee`] says about a [`ReportWindow`], beside loss, progress and the time left.
#[derive(Clone, Debug, Default)]
pub struct TrainingReport {
    /// What is done in a second of training, the most telling first.
    pub rates: Vec<Rate>,
    /// How good the model is on what it learns from.
    pub metric: Option<Metric>,
    /// Numbers for the log, by name.
    pub values: Vec<(Cow<'static, str>, f64)>,
}

/// Trains until the configured end or until `cancel`: reports every [`Trainee::REPORT_EVERY`] steps, evaluates, makes
/// pictures and saves to `checkpoint` as configured, and reports and saves once more at the end.
///
/// A checkpoint that cannot be written on the way is warned of and tried again when the next is due: a full disk may have
/// room by then, and what is being learnt is worth more than the wait. Only the last one must succeed.
///
/// What comes after the last step is the caller's: to measure the finished run, to publish [`Event::Done`], which no sink
/// hears of otherwise, and to [close](Events::close) the stream.
///
/// # Errors
/// Those of the trainee. One that is no divergence leaves a checkpoint of what was learnt before, where that can be saved
/// still.
pub fn drive<T: Trainee>(
    trainee: &mut T,
    checkpoint: &Path,
    events: &Events,
    cancel: &Cancel,
) -> Result<DoneReason, T::Error> {
    let RunConfig { eval_every, save_every, .. } = *trainee.run_config();
    let save_every = Duration::try_from_secs_f64(save_every).unwrap_or(Duration::MAX);
    let mut saved = Instant::now();
    trainee.begin(events);
    let mut open = Open::at(trainee.clock());
    trainee.clock_mut().start();
    while trainee.progress() < 1.0 && !cancel.is_cancelled() {
        match trainee.step() {
            Ok(loss) => open.add(loss),
            Err(error) => {
                if !T::has_diverged(&error) {
                    // A device that has failed gives nothing back: the checkpoint stays as it was, and the first error is
                    // the one to tell.
                    let _ = save(trainee, checkpoint, events);
                }
                return Err(error);
            }
        }
        let step = trainee.step_count();
        if step.is_multiple_of(T::REPORT_EVERY) {
            open.report(trainee, events)?;
        }
        if eval_every.is_some_and(|every| step.is_multiple_of(every)) {
            trainee.clock_mut().stop();
            // Whoever drives measures the finished run.
            if trainee.progress() < 1.0 {
                trainee.evaluate(events, cancel)?;
            }
            trainee.clock_mut().start();
        }
        if trainee.is_preview_due() {
            trainee.clock_mut().stop();
            trainee.preview(events)?;
            trainee.clock_mut().start();
        }
        if saved.elapsed() >= save_every {
            if let Err(error) = save(trainee, checkpoint, events) {
                let message = format!(
                    "step {step} is not saved: {error}; training goes on and tries again at the next save"
                );
                events.publish(Event::Text { level: Level::Warning, message });
            }
            trainee.clock_mut().start();
            saved = Instant::now();
        }
    }
    if open.steps > 0 {
        open.report(trainee, events)?;
    }
    save(trainee, checkpoint, events)?;
    trainee.end(events)?;
    Ok(if trainee.progress() < 1.0 { DoneReason::Cancelled } else { DoneReason::Finished })
}

/// Stops the clock, and saves after the log has caught up: it never ends before the checkpoint's step.
fn save<T: Trainee>(trainee: &mut T, checkpoint: &Path, events: &Events) -> Result<(), T::Error> {
    trainee.clock_mut().stop();
    events.flush(FLUSH);
    trainee.save(checkpoint)
}

/// A window that is not reported yet.
struct Open {
    /// What the clock showed when it began.
    since: Duration,
    steps: u64,
    loss: f64,
}

impl Open {
    fn at(clock: &Clock) -> Self {
        Self { since: clock.elapsed(), steps: 0, loss: 0.0 }
    }

    fn add(&mut self, loss: f64) {
        self.steps += 1;
        self.loss += loss;
    }

    /// Publishes it and begins the next.
    fn report<T: Trainee>(&mut self, trainee: &mut T, events: &Events) -> Result<(), T::Error> {
        let elapsed = trainee.clock().elapsed();
        let (step, done) = (trainee.step_count(), trainee.progress());
        let window = ReportWindow {
            steps: self.steps,
            seconds: elapsed.saturating_sub(self.since).as_secs_f64().max(1e-9),
            loss: self.loss / self.steps as f64,
            progress: done,
        };
        let TrainingReport { rates, metric, values } = trainee.report(&window, events)?;
        let loss = window.loss;
        let eta = elapsed.as_secs_f64() * (1.0 - done) / done.max(1e-9);
        let shared = [("loss", loss), ("progress", done), ("eta_s", eta)];
        let shared = shared.into_iter().map(|(name, value)| (name.into(), value));
        events.publish(Event::Scalars { step, elapsed, values: shared.chain(values).collect() });
        let eta = Duration::try_from_secs_f64(eta).unwrap_or(Duration::MAX);
        events.publish(Event::Progress { step, elapsed, done, eta, loss, rates, metric });
        *self = Self::at(trainee.clock());
        Ok(())
    }
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
