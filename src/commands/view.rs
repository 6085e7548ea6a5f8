//! `nerve view`.

use crate::context::Context;
use crate::evaluation::held_out;
use crate::kind::Kind;
use crate::nerf;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::segmentation;
use crate::viewers::{LABELS, SCENES};
use anyhow::Context as _;
use nerve_core::run::{Cancel, Delivery, DoneReason, Event, Events, RunFolder, recorded};
use nerve_nerf::eval::{EvalOptions, evaluate};
use nerve_nerf::{Model, publish_cameras, publish_cells, publish_held_out, publish_surface};
use nerve_viewer::{Destination, Program, Viewer, contents, replay};
use nerve_vision::segmentation::{Inference, Trainer};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use super::view_args::ViewArgs;

/// Between two looks at whether the user has had enough.
const LOOK: Duration = Duration::from_millis(100);
/// How long a rebuilt recording may take to be written.
const WRITING: Duration = Duration::from_secs(600);

/// Shows a recording, or what a run has left.
pub fn run(context: &Context, args: &ViewArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("view")?;
    let destinations = context.common.viewer.destinations(None).map_err(usage)?;
    let file = if args.what.is_file() {
        args.what.clone()
    } else {
        let folder = RunFolder::open(&args.what)?;
        let file = folder.recording_path();
        if args.rebuild || !file.exists() {
            match Kind::of(&folder)? {
                Kind::Nerf => {
                    if rebuild(context, &folder, &file)? == Outcome::Interrupted {
                        return Ok(Outcome::Interrupted);
                    }
                }
                Kind::Segmentation => {
                    if rebuild_labels(context, &folder, &file)? == Outcome::Interrupted {
                        return Ok(Outcome::Interrupted);
                    }
                }
            }
        }
        file
    };
    let found = contents(&file)?;
    let fields = json!({"file": file, "recording": found.id, "entities": found.entities.len()});
    context.output.line("view", &fields);
    match destinations.as_slice() {
        [] | [Destination::Spawn] => open(context, &file),
        [destination @ (Destination::Serve(_) | Destination::Connect(_))] => {
            show(context, &file, destination)
        }
        _ => Err(usage("nerve view takes one destination: --viewer spawn, connect or serve").into()),
    }
}

/// Opens a recording in a viewer of its own.
fn open(context: &Context, file: &Path) -> anyhow::Result<Outcome> {
    let Some(program) = Program::find() else {
        anyhow::bail!(
            "`rerun` is not on the PATH to show {}; install it with: {}    or use --viewer serve for a viewer on \
             another machine",
            file.display(),
            Program::remedy()
        );
    };
    if !program.fits() {
        let version = program.version.as_deref().unwrap_or("unknown");
        remark(format_args!(
            "warning: rerun {version} may not show everything; for the matching version: {}",
            Program::remedy()
        ));
    }
    let path = file.to_str().with_context(|| format!("{}: the path is no text", file.display()))?;
    program.start(&[path]).with_context(|| program.path.display().to_string())?;
    context.output.say(format_args!("opened {} with {}", file.display(), program.path.display()));
    Ok(Outcome::Done)
}

/// Sends a recording to a viewer, or to all that come until Ctrl-C.
fn show(context: &Context, file: &Path, destination: &Destination) -> anyhow::Result<Outcome> {
    let shown = replay(file, destination, &|text| remark(text))?;
    if matches!(destination, Destination::Serve(_)) {
        remark("press Ctrl-C to stop");
        let cancel = context.interrupt.clean();
        while !cancel.is_cancelled() {
            std::thread::sleep(LOOK);
        }
        // A viewer that is stuck would hold up the end.
        std::mem::forget(shown);
    } else {
        shown.finish()?;
        context.output.say(format_args!("sent {} to {destination}", file.display()));
    }
    Ok(Outcome::Done)
}

/// The same of a segmenter's run: its log, and pictures of the held-out split.
fn rebuild_labels(context: &Context, folder: &RunFolder, file: &Path) -> anyhow::Result<Outcome> {
    let (config, set, _) = segmentation::restored(context, folder)?;
    let log = folder.metrics_path();
    let numbers = recorded(&log).with_context(|| log.display().to_string())?;
    let device = context.common.device.resolve()?;
    let mut trainer = Trainer::restored(config, Arc::new(set), &folder.checkpoint_path(), device)?;
    let events = begin(context, folder, file, LABELS)?;
    events.publish(Event::Classes { classes: trainer.classes() });
    numbers.into_iter().for_each(|event| events.publish(event));
    let cancel: &Cancel = context.interrupt.clean();
    trainer.measure(&Inference::default(), &events, cancel)?;
    finish(&events, cancel)
}

/// Makes the recording of a run that has none: what its log, its checkpoint and its scene still tell.
fn rebuild(context: &Context, folder: &RunFolder, file: &Path) -> anyhow::Result<Outcome> {
    let mut model = Model::open_run(folder, &nerf::looking(context, false)?)?;
    let scene = nerf::scene_of(context, &mut model, Some(folder), &folder.checkpoint_path());
    let scene =
        scene.map_err(|error| remark(format_args!("showing the run without photographs: {error:#}"))).ok();
    if model.capture().views.is_empty() {
        remark(
            "showing the run without cameras: it was saved by an earlier nerve, which kept them only in the scene",
        );
    }
    let log = folder.metrics_path();
    let numbers = recorded(&log).with_context(|| log.display().to_string())?;
    let events = begin(context, folder, file, SCENES)?;
    publish_cameras(model.capture(), scene.as_ref(), &events);
    numbers.into_iter().for_each(|event| events.publish(event));
    publish_cells(&model, &events);
    publish_surface(&mut model, &events);
    let cancel: &Cancel = context.interrupt.clean();
    let counter = Counter::new("rendering views");
    match scene.as_ref().and_then(|scene| Some((scene, scene.splits.get(held_out(scene)?)))) {
        Some((scene, views)) => {
            let options = EvalOptions { renders: None, lpips: None, events: &events, cancel };
            let mut done = 0;
            evaluate(&mut model, scene, views, &options, &mut |_| {
                done += 1;
                counter.set(done, views.len());
            })?;
        }
        None => publish_held_out(&mut model, &events, &mut |done, all| {
            counter.set(done, all);
            !cancel.is_cancelled()
        })?,
    }
    drop(counter);
    finish(&events, cancel)
}

/// Begins a run's recording anew; what is published goes into it.
fn begin(context: &Context, folder: &RunFolder, file: &Path, application: &str) -> anyhow::Result<Events> {
    if file.exists() {
        std::fs::remove_file(file).with_context(|| file.display().to_string())?;
    }
    let (events, flags) = (Events::new(), &context.common.viewer);
    events.request_previews(flags.preview_request());
    let destination = Destination::Save(file.to_owned());
    let name = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let viewer =
        Viewer::new(destination, application, &name, flags.viewer_size as usize, |text| remark(text));
    // Nothing waits for it, so nothing need be dropped.
    events.attach("recording", Delivery::Lossless, viewer)?;
    Ok(events)
}

/// Waits until a recording is written.
fn finish(events: &Events, cancel: &Cancel) -> anyhow::Result<Outcome> {
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
