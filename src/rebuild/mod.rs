//! The recording of a run that has none, made from what it has left: its log, its checkpoint, and its data where that is
//! there still.

mod field;
mod segmenter;
mod tasks;

use crate::context::Context;
use crate::given::Given;
use crate::outcome::Outcome;
use crate::output::remark;
use anyhow::Context as _;
pub use field::FieldRemains;
use nerve_core::run::{Cancel, Delivery, DoneReason, Event, Events, recorded};
use nerve_viewer::{Destination, Viewer};
pub use segmenter::SegmenterRemains;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use tasks::TasksRemains;

/// How long a recording may take to be written.
const WRITING: Duration = Duration::from_secs(600);

/// What a run of some kind has left, beside its log.
pub trait Remains: Sized {
    /// How viewers lay it out.
    const LAYOUT: &'static str;

    /// Opens it.
    fn open(context: &Context, given: &Given) -> anyhow::Result<Self>;

    /// Publishes what a training publishes before its first step.
    fn introduce(&self, events: &Events);

    /// Publishes what is to be seen at the end of a training, until `cancel`.
    fn show(&mut self, events: &Events, cancel: &Cancel) -> anyhow::Result<()>;
}

/// Makes the recording `target` of what was given. It appears when it is whole, or not at all.
pub fn rebuild<R: Remains>(context: &Context, given: &Given, target: &Path) -> anyhow::Result<Outcome> {
    // Where it cannot be written, nothing need be rendered.
    drop(Part::begin(target)?);
    let mut remains = R::open(context, given)?;
    let (name, numbers) = match given {
        Given::Run(run) => {
            let log = run.metrics_path();
            (run.path(), recorded(&log).with_context(|| log.display().to_string())?)
        }
        Given::Field(file) => (&**file, Vec::new()),
    };
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let cancel = context.interrupt.clean();
    let part = Part::begin(target)?;
    // What fails is said once, in the end.
    let (events, flags) = (Events::quiet(), &context.common.viewer);
    events.request_previews(flags.preview_request());
    let destination = Destination::Save(part.path.clone());
    let viewer = Viewer::new(destination, R::LAYOUT, &name, flags.viewer_size as usize, |text| remark(text));
    // Nothing waits for it, so nothing need be dropped.
    events.attach("recording", Delivery::Lossless, viewer)?;
    remains.introduce(&events);
    numbers.into_iter().for_each(|event| events.publish(event));
    let shown = remains.show(&events, cancel);
    events.publish(Event::Done { reason: DoneReason::Finished });
    let report = events.close(WRITING);
    shown?;
    if cancel.is_cancelled() {
        return Ok(Outcome::Interrupted);
    }
    match report.into_iter().find_map(|sink| sink.failure) {
        Some(failure) => {
            Err(unwritten(target, &failure.replace(&*part.path.to_string_lossy(), &target.to_string_lossy())))
        }
        None => part.finish(target),
    }
}

/// A recording that is being written, under a name that is removed with it; overwriting a run removes what a killed
/// process has left.
struct Part {
    path: PathBuf,
}

impl Part {
    /// Begins it beside its target.
    fn begin(target: &Path) -> anyhow::Result<Self> {
        let name = target.file_name().with_context(|| format!("{}: it names no file", target.display()))?;
        let part = format!(".{}.{}-0.tmp", name.to_string_lossy(), std::process::id());
        let path = target.with_file_name(part);
        File::create(&path).map_err(|error| unwritten(target, &error))?;
        Ok(Self { path })
    }

    /// Gives it its name.
    fn finish(self, target: &Path) -> anyhow::Result<Outcome> {
        std::fs::rename(&self.path, target).map_err(|error| unwritten(target, &error))?;
        Ok(Outcome::Done)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After its renaming there is none.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Of a recording that cannot be written, with what can be done.
pub fn unwritten(target: &Path, reason: &impl Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: the recording cannot be written: {reason}; make the folder, make it writable or make room, or write it \
         elsewhere: --viewer save=FILE",
        target.display()
    )
}
