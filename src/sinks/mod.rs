//! What listens to a run: the metrics log, which is core's, the progress bar, the JSON lines, and viewers.

mod json;
mod progress;

use crate::context::Context;
use crate::viewers;
use indicatif::ProgressBar;
pub use json::JsonLines;
use nerve_core::run::{Delivery, Events, MetricsLog, RunFolder};
pub use progress::Progress;
use std::time::Duration;

/// Events that a slow sink may have waiting.
const WAITING: usize = 1024;
/// How long sinks may take to finish.
pub const CLOSING: Duration = Duration::from_secs(5);

/// The sinks of a training, viewers laid out as `layout` says, and the bar to clear after it.
pub fn listen(context: &Context, run: &RunFolder, layout: &str) -> anyhow::Result<(Events, ProgressBar)> {
    let events = Events::new();
    events.attach("metrics log", Delivery::Lossless, MetricsLog::open(run.metrics_path())?)?;
    let lossy = Delivery::Lossy { capacity: WAITING };
    if context.output.is_json() {
        events.attach("JSON output", lossy, JsonLines(std::io::stdout()))?;
    }
    let (progress, bar) = Progress::new();
    events.attach("progress", lossy, progress)?;
    let name = run.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    viewers::attach(context, &events, layout, &name, run.recording_path())?;
    Ok((events, bar))
}
