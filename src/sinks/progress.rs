//! How training goes, on stderr.

use crate::format;
use crate::output::remark;
use crate::progress::{EVERY, bar};
use indicatif::ProgressBar;
use nerve_core::run::{Event, Level, Metric, Rate, Sink, SinkError, Unit};
use std::time::{Duration, Instant};

/// The bar's length: progress is a share of steps or of time.
const LENGTH: u64 = 1000;

/// A bar on a terminal, else a line every few seconds.
pub struct Progress {
    bar: ProgressBar,
    said: Option<Instant>,
}

impl Progress {
    /// The sink, and the bar to clear once training has ended.
    pub fn new() -> (Self, ProgressBar) {
        let bar = bar("{bar:24} {percent:>3}%  {msg}");
        bar.set_length(LENGTH);
        (Self { bar: bar.clone(), said: None }, bar)
    }

    fn say(&self, text: &str) {
        if self.bar.is_hidden() { remark(text) } else { self.bar.println(text) }
    }

    fn follow(&mut self, done: f64, message: String) {
        if self.bar.is_finished() {
            return;
        }
        if !self.bar.is_hidden() {
            self.bar.set_position((done * LENGTH as f64) as u64);
            self.bar.set_message(message);
        } else if done >= 1.0 || self.said.is_none_or(|said| said.elapsed() >= EVERY) {
            self.said = Some(Instant::now());
            remark(format_args!("{:>3.0}%  {message}", 100.0 * done));
        }
    }
}

/// One line: `step 40  loss 1.00e-3  30.00 dB  84.2k rays/s  1:15 min left`.
fn message(step: u64, loss: f64, metric: Option<&Metric>, rates: &[Rate], left: Duration) -> String {
    let loss = if loss < 0.1 { format!("{loss:.2e}") } else { format!("{loss:.3}") };
    let metric = metric.map(|metric| match metric.unit {
        // Says what it is.
        Unit::Decibels => metric.amount(),
        Unit::Number | Unit::Share => metric.to_string(),
    });
    let rates = rates.iter().map(|rate| format!("{} {}/s", format::count(rate.value), rate.unit));
    let parts = [format!("step {step}"), format!("loss {loss}")].into_iter().chain(metric).chain(rates);
    let parts: Vec<String> = parts.chain([format!("{} left", format::time(left))]).collect();
    parts.join("  ")
}

impl Sink for Progress {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        match event {
            Event::Progress { step, done, eta, loss, rates, metric, .. } => {
                self.follow(*done, message(*step, *loss, metric.as_ref(), rates, *eta));
            }
            Event::Scores { step, scores } => {
                let scores: Vec<String> = scores.iter().map(ToString::to_string).collect();
                self.say(&format!("step {step}: held-out {}", scores.join(", ")));
            }
            Event::Text { level, message } => self.say(&match level {
                Level::Info => message.clone(),
                Level::Warning => format!("warning: {message}"),
                Level::Error => format!("error: {message}"),
            }),
            Event::Done { .. } => self.bar.finish_and_clear(),
            // Nothing to read on a line.
            Event::Scalars { .. }
            | Event::Image { .. }
            | Event::Histogram { .. }
            | Event::Map { .. }
            | Event::Classes { .. }
            | Event::Labels { .. }
            | Event::PerClass { .. }
            | Event::Confusion { .. }
            | Event::Cameras { .. }
            | Event::Path { .. }
            | Event::Points { .. }
            | Event::Mesh { .. }
            | Event::Voxels { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_people_look_for() {
        let rates = [Rate::new(84_200.0, "rays"), Rate::new(1.31e6, "samples")];
        let (psnr, left) = (Metric::decibels("PSNR", 30.0), Duration::from_secs(75));
        let text = "step 40  loss 1.00e-3  30.00 dB  84.2k rays/s  1.31M samples/s  1:15 min left";
        assert_eq!(message(40, 0.001, Some(&psnr), &rates, left), text);
        let text = "step 7  loss 0.180  2.04 pictures/s  0.0 s left";
        assert_eq!(message(7, 0.18, None, &[Rate::new(2.04, "pictures")], Duration::ZERO), text);
        let accuracy = Metric::share("accuracy", 0.5);
        assert!(message(7, 0.18, Some(&accuracy), &[], left).contains("  accuracy 50.0 %  "));
    }
}
