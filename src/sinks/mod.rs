//! What listens to a run: the metrics log, which is core's, the progress bar, the JSON lines, and viewers.

mod json;
mod progress;

use crate::context::Context;
use crate::lines::Lines;
use crate::viewers;
use anyhow::Context as _;
use indicatif::ProgressBar;
pub use json::JsonLines;
use nerve_core::run::{Delivery, DoneReason, Event, Events, MetricsLog, RunFolder, truncate_after};
pub use progress::Progress;
use std::time::Duration;

/// Events that a slow sink may have waiting.
const WAITING: usize = 1024;
/// How long sinks may take to finish.
pub const CLOSING: Duration = Duration::from_secs(5);

/// What listens to a training.
pub struct Listeners {
    /// Where the training publishes.
    pub events: Events,
    bar: ProgressBar,
}

impl Listeners {
    /// Cuts the log back to the step where the training begins, and attaches the sinks; viewers are laid out as `layout`
    /// says.
    pub fn new(context: &Context, run: &RunFolder, layout: &str, step: u64) -> anyhow::Result<Self> {
        let metrics = run.metrics_path();
        truncate_after(&metrics, step).with_context(|| metrics.display().to_string())?;
        let events = Events::new();
        events.attach("metrics log", Delivery::Lossless, MetricsLog::open(metrics)?)?;
        let lossy = Delivery::Lossy { capacity: WAITING };
        if context.output.is_json() {
            events.attach("JSON output", lossy, JsonLines(Lines))?;
        }
        let (progress, bar) = Progress::new();
        events.attach("progress", lossy, progress)?;
        let name = run.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        viewers::attach(context, &events, layout, &name, run.recording_path())?;
        Ok(Self { events, bar })
    }

    /// After the training: measures if it came to its end, and tells all listeners how it ended before they are closed.
    pub fn end<E>(
        self,
        trained: anyhow::Result<DoneReason>,
        measure: impl FnOnce(&Events) -> anyhow::Result<Option<E>>,
    ) -> anyhow::Result<(DoneReason, Option<E>)> {
        self.bar.finish_and_clear();
        let result = trained.and_then(|reason| {
            let measured = if reason == DoneReason::Finished { measure(&self.events)? } else { None };
            Ok((reason, measured))
        });
        let reason = match &result {
            Ok((reason, _)) => reason.clone(),
            Err(error) => DoneReason::Failed(error.to_string()),
        };
        self.events.publish(Event::Done { reason });
        self.events.close(CLOSING);
        result
    }
}
