//! Listens to a training: a sink that prints what a short run on a small demo scene publishes.
//!
//!     cargo run --release --example listen_to_events
//!
//! The progress bar, the JSON lines, the metrics log and the viewer are sinks of the same stream.

use nerve::core::run::{Cancel, Delivery, Event, Events, Sink, SinkError};
use nerve::data::demo::{self, DemoConfig};
use nerve::nerf::{NerfConfig, Trainer};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Prints one line an event. It has a thread of its own, so it may be as slow as it likes.
struct Printer;

impl Sink for Printer {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        match event {
            Event::Progress { step, done, loss, metric, .. } => {
                print!("{:>3.0}%  step {step}  loss {loss:.2e}", 100.0 * done);
                match metric {
                    Some(metric) => println!("  {} {:.2}", metric.name, metric.value),
                    None => println!(),
                }
            }
            Event::Scores { step, scores } => {
                scores.iter().for_each(|score| println!("step {step}: {} {:.4}", score.name, score.value));
            }
            Event::Text { message, .. } => println!("{message}"),
            Event::Done { reason } => println!("done: {reason:?}"),
            // Pictures, cameras, points and the rest, which a viewer shows.
            _ => {}
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let scene = demo::scene(&DemoConfig { resolution: 64, train: 16, test: 4, ..DemoConfig::default() })?;
    let mut config = NerfConfig::default();
    config.train.run.steps = Some(100);
    config.train.batch_samples = 8192;
    config.grid.log2_entries = 14;

    let events = Events::new();
    // Up to 64 events wait for the printer; further ones are dropped rather than waited for.
    events.attach("printer", Delivery::Lossy { capacity: 64 }, Printer)?;

    let mut trainer = Trainer::new(config, Arc::new(scene), 0)?;
    let folder = tempfile::tempdir()?;
    let reason = trainer.run(&folder.path().join("checkpoint.safetensors"), &events, &Cancel::new())?;
    events.publish(Event::Done { reason });
    events.close(Duration::from_secs(5));
    Ok(())
}
