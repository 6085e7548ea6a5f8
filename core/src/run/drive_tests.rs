#![allow(clippy::unwrap_used)]
use std::{path::PathBuf, sync::mpsc, thread::sleep};

use super::*;
use crate::run::{Delivery, Sink, SinkError};

const STEP: Duration = Duration::from_millis(1);
/// Much longer than a step.
const PAUSE: Duration = Duration::from_millis(60);

#[derive(Debug, PartialEq)]
enum Failure {
    Diverged,
    Unreadable,
    Full,
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Counts what it is asked for; the loss of step `n` is `n`.
struct Counting {
    config: RunConfig,
    clock: Clock,
    steps: u64,
    fails: Option<(u64, Failure)>,
    /// Asks for a stop after so many steps.
    cancels: Option<(u64, Cancel)>,
    /// So many saves fail.
    full: u64,
    /// Until so many are made, pictures are due after every step.
    previews: u64,
    said: Vec<String>,
}

impl Counting {
    fn new(config: RunConfig) -> Self {
        let (clock, said) = (Clock::default(), Vec::new());
        Self { config, clock, steps: 0, fails: None, cancels: None, full: 0, previews: 0, said }
    }

    fn say(&mut self, what: &str) {
        self.said.push(format!("{what} {}", self.steps));
    }

    fn pause(&mut self, what: &str) {
        let before = self.clock.elapsed();
        sleep(PAUSE);
        assert_eq!(self.clock.elapsed(), before, "the clock runs while {what}");
        self.say(what);
    }
}

impl Trainee for Counting {
    type Error = Failure;
    const REPORT_EVERY: u64 = 4;

    fn run_config(&self) -> &RunConfig {
        &self.config
    }

    fn step_count(&self) -> u64 {
        self.steps
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    fn begin(&mut self, _: &Events) {
        self.pause("begin");
    }

    fn step(&mut self) -> Result<f64, Failure> {
        sleep(STEP);
        if let Some((_, failure)) = self.fails.take_if(|(step, _)| *step == self.steps + 1) {
            return Err(failure);
        }
        self.steps += 1;
        if let Some((step, cancel)) = &self.cancels
            && *step == self.steps
        {
            cancel.cancel();
        }
        Ok(self.steps as f64)
    }

    fn has_diverged(error: &Failure) -> bool {
        *error == Failure::Diverged
    }

    fn report(&mut self, window: &ReportWindow, _: &Events) -> Result<TrainingReport, Failure> {
        assert!(window.steps <= 4 && window.seconds < PAUSE.as_secs_f64(), "{window:?} holds a pause");
        self.say("report");
        let rates = vec![Rate::new(window.steps as f64 / window.seconds, "steps")];
        let values = vec![("steps".into(), window.steps as f64)];
        Ok(TrainingReport { rates, metric: Some(Metric::number("steps", self.steps as f64)), values })
    }

    fn evaluate(&mut self, _: &Events, _: &Cancel) -> Result<(), Failure> {
        self.pause("evaluate");
        Ok(())
    }

    fn is_preview_due(&self) -> bool {
        self.previews > 0
    }

    fn preview(&mut self, _: &Events) -> Result<(), Failure> {
        self.previews -= 1;
        self.pause("preview");
        Ok(())
    }

    fn save(&mut self, checkpoint: &Path) -> Result<(), Failure> {
        assert_eq!(checkpoint, PathBuf::from("checkpoint"));
        if self.full > 0 {
            self.full -= 1;
            self.pause("full");
            return Err(Failure::Full);
        }
        self.pause("save");
        Ok(())
    }

    fn end(&mut self, _: &Events) -> Result<(), Failure> {
        self.pause("end");
        Ok(())
    }
}

struct Forward(mpsc::Sender<Event>);

impl Sink for Forward {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        self.0.send(event.clone()).map_err(|e| SinkError::Other(e.to_string()))
    }
}

/// How it ended, and the events.
fn driven(trainee: &mut Counting, cancel: &Cancel) -> (Result<DoneReason, Failure>, Vec<Event>) {
    let (sender, seen) = mpsc::channel();
    let events = Events::new();
    events.attach("test", Delivery::Lossless, Forward(sender)).unwrap();
    let reason = drive(trainee, Path::new("checkpoint"), &events, cancel);
    events.close(Duration::from_secs(20));
    (reason, seen.iter().collect())
}

fn steps(steps: u64) -> RunConfig {
    RunConfig { steps: Some(steps), ..RunConfig::default() }
}

#[test]
fn a_run_reports_evaluates_previews_and_saves_in_turn() {
    let mut trainee = Counting::new(RunConfig { eval_every: Some(5), ..steps(10) });
    trainee.previews = 1;
    let (reason, events) = driven(&mut trainee, &Cancel::new());
    assert_eq!(reason, Ok(DoneReason::Finished));
    let said =
        ["begin 0", "preview 1", "report 4", "evaluate 5", "report 8", "report 10", "save 10", "end 10"];
    assert_eq!(trainee.said, said);
    let told: Vec<(u64, f64, f64, f64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { step, done, loss, metric: Some(metric), .. } => {
                Some((*step, *done, *loss, metric.value))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [(4, 0.4, 2.5, 4.0), (8, 0.8, 6.5, 8.0), (10, 1.0, 9.5, 10.0)]);
    let Some(Event::Scalars { step: 4, values, .. }) = events.first() else { panic!("{events:?}") };
    let names: Vec<&str> = values.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["loss", "progress", "eta_s", "steps"]);
    assert_eq!((values[0].1, values[1].1, values[3].1), (2.5, 0.4, 4.0));
}

#[test]
fn checkpoints_come_as_often_as_they_are_asked_for() {
    let mut trainee = Counting::new(RunConfig { save_every: 1e-9, ..steps(3) });
    assert_eq!(driven(&mut trainee, &Cancel::new()).0, Ok(DoneReason::Finished));
    assert_eq!(trainee.said[1..], ["save 1", "save 2", "save 3", "report 3", "save 3", "end 3"]);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_tried_again_and_only_the_last_must_be() {
    let config = RunConfig { save_every: 1e-9, ..steps(3) };
    let mut trainee = Counting { full: 2, ..Counting::new(config.clone()) };
    let (reason, events) = driven(&mut trainee, &Cancel::new());
    assert_eq!(reason, Ok(DoneReason::Finished));
    assert_eq!(trainee.said[1..], ["full 1", "full 2", "save 3", "report 3", "save 3", "end 3"]);
    let warnings = events.iter().filter_map(|event| match event {
        Event::Text { level: Level::Warning, message } => Some(message.as_str()),
        _ => None,
    });
    let warnings: Vec<&str> = warnings.collect();
    assert!(warnings.len() == 2 && warnings[0].starts_with("step 1 is not saved: Full;"), "{warnings:?}");
    let mut trainee = Counting { full: 4, ..Counting::new(config) };
    assert_eq!(driven(&mut trainee, &Cancel::new()).0, Err(Failure::Full));
    assert_eq!(trainee.said.last().unwrap(), "full 3");
}

#[test]
fn what_was_learnt_before_a_failure_is_saved_unless_it_diverged() {
    for (failure, saved) in [(Failure::Unreadable, true), (Failure::Diverged, false)] {
        let mut trainee = Counting::new(steps(10));
        trainee.fails = Some((3, failure));
        let reason = driven(&mut trainee, &Cancel::new()).0;
        assert_eq!(trainee.said.contains(&"save 2".to_owned()), saved, "{reason:?}");
        assert!(reason.is_err() && !trainee.said.contains(&"end 2".to_owned()));
    }
}

#[test]
fn a_cancelled_run_reports_the_rest_and_saves() {
    let cancel = Cancel::new();
    let mut trainee = Counting::new(steps(100));
    trainee.cancels = Some((6, cancel.clone()));
    assert_eq!(driven(&mut trainee, &cancel).0, Ok(DoneReason::Cancelled));
    assert_eq!(trainee.said, ["begin 0", "report 4", "report 6", "save 6", "end 6"]);
}

#[test]
fn a_run_given_in_time_ends_by_its_clock() {
    let time = 20 * STEP;
    let mut trainee = Counting::new(RunConfig { time: Some(time), ..RunConfig::default() });
    trainee.clock = Clock::at(time / 2);
    assert_eq!(driven(&mut trainee, &Cancel::new()).0, Ok(DoneReason::Finished));
    assert!((1..=10).contains(&trainee.steps), "{} steps in half the time", trainee.steps);
    assert!(trainee.clock.elapsed() >= time);
}
