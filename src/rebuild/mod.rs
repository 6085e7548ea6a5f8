//! The recording of a run that has none, made from what it has left: its log, its checkpoint, and its data where that is
//! there still.

mod field;
mod segmenter;

use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::remark;
use anyhow::Context as _;
pub use field::FieldRemains;
use nerve_core::run::{Cancel, Delivery, DoneReason, Event, Events, RunFolder, recorded};
use nerve_viewer::{Destination, Viewer};
pub use segmenter::SegmenterRemains;
use std::path::Path;
use std::time::Duration;

/// How long a recording may take to be written.
const WRITING: Duration = Duration::from_secs(600);

/// What a run of some kind has left, beside its log.
pub trait Remains: Sized {
    /// How viewers lay it out.
    const LAYOUT: &'static str;

    /// Opens it.
    fn open(context: &Context, run: &RunFolder) -> anyhow::Result<Self>;

    /// Publishes what a training publishes before its first step.
    fn introduce(&self, events: &Events);

    /// Publishes what is to be seen at the end of a training, until `cancel`.
    fn show(&mut self, events: &Events, cancel: &Cancel) -> anyhow::Result<()>;
}

/// Makes the recording `file` of a run.
pub fn rebuild<R: Remains>(context: &Context, run: &RunFolder, file: &Path) -> anyhow::Result<Outcome> {
    let mut remains = R::open(context, run)?;
    let log = run.metrics_path();
    let numbers = recorded(&log).with_context(|| log.display().to_string())?;
    if file.exists() {
        std::fs::remove_file(file).with_context(|| file.display().to_string())?;
    }
    let (events, flags) = (Events::new(), &context.common.viewer);
    events.request_previews(flags.preview_request());
    let destination = Destination::Save(file.to_owned());
    let name = run.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let viewer = Viewer::new(destination, R::LAYOUT, &name, flags.viewer_size as usize, |text| remark(text));
    // Nothing waits for it, so nothing need be dropped.
    events.attach("recording", Delivery::Lossless, viewer)?;
    remains.introduce(&events);
    numbers.into_iter().for_each(|event| events.publish(event));
    let cancel = context.interrupt.clean();
    remains.show(&events, cancel)?;
    events.publish(Event::Done { reason: DoneReason::Finished });
    let report = events.close(WRITING);
    if cancel.is_cancelled() {
        return Ok(Outcome::Interrupted);
    }
    match report.into_iter().find_map(|sink| sink.failure) {
        Some(failure) => anyhow::bail!("{failure}"),
        None => Ok(Outcome::Done),
    }
}
