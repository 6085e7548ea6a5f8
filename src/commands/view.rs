//! `nerve view`.

use crate::context::Context;
use crate::given::Given;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::rebuild::unwritten;
use anyhow::Context as _;
use nerve_core::run::{RunError, write_atomic};
use nerve_viewer::{Destination, FileState, Program, contents, replay};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub use super::view_args::ViewArgs;

/// Between two looks at whether the user has had enough.
const LOOK: Duration = Duration::from_millis(100);

/// Shows a recording, or what a run has left; with `--viewer save`, writes that down and shows nothing.
pub fn run(context: &Context, args: &ViewArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("view")?;
    if context.common.viewer.viewer.len() > 1 {
        let modes = "nerve view shows in one place: --viewer spawn, connect, serve or save";
        return Err(usage(modes).into());
    }
    let what = &args.what;
    let given = match what.is_file() && FileState::of(what)? != FileState::Other {
        true => None,
        false => Some(given(what)?),
    };
    let home = match &given {
        None => what.clone(),
        Some(Given::Run(run)) => run.recording_path(),
        Some(Given::Field(file)) => file.with_added_extension("rrd"),
    };
    let destination = context.common.viewer.destinations(Some(home.clone())).map_err(usage)?.pop();
    let file = match &destination {
        Some(Destination::Save(file)) => file,
        _ => &home,
    };
    if *file != home && FileState::of(file)? == FileState::Other {
        anyhow::bail!("{}: it is no recording and is not overwritten; give another FILE", file.display());
    }
    if let Some(given) = &given
        && (args.rebuild || !is_there(given, &home)?)
    {
        let made = Kind::rebuild(context, given, file)?;
        if made == Outcome::Interrupted {
            return Ok(made);
        }
    } else if *file != home {
        let bytes = std::fs::read(&home).with_context(|| home.display().to_string())?;
        write_atomic(file, &bytes).map_err(|error| unwritten(file, &error))?;
    }
    let found = contents(file)?;
    let fields = json!({"file": file, "recording": found.id, "entities": found.entities.len()});
    context.output.line("view", &fields);
    match &destination {
        None | Some(Destination::Spawn) => open(context, file),
        Some(Destination::Save(_)) => {
            context.output.say(format_args!(
                "wrote {}\nnext  rerun {}    shows it",
                file.display(),
                file.display()
            ));
            Ok(Outcome::Done)
        }
        Some(destination) => show(context, file, destination),
    }
}

/// What else than a recording is to be shown.
fn given(what: &Path) -> anyhow::Result<Given> {
    Given::of(what).map_err(|error| match what.is_file() {
        true => error.context(format!(
            "{}: neither a recording (.rrd) nor a run's checkpoint nor a compact file, and these or a run's folder are \
             what `nerve view` shows",
            what.display()
        )),
        false => error,
    })
}

/// Whether the recording of what was given is there and is to be shown as it is.
fn is_there(given: &Given, recording: &Path) -> anyhow::Result<bool> {
    match (FileState::of(recording)?, given) {
        (FileState::Whole, Given::Run(_)) => Ok(true),
        // The field may have been written again since.
        (FileState::Whole, Given::Field(file)) => {
            let written = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified());
            Ok(written(recording).ok() >= written(file).ok())
        }
        (FileState::CutOff, Given::Run(run)) => {
            // Whoever trains is still writing it.
            let busy = matches!(run.clone().lock(), Err(RunError::Busy { .. }));
            if !busy {
                remark(format_args!("{}: it was cut off, and is made again", recording.display()));
            }
            Ok(busy)
        }
        (FileState::Other, _) => {
            anyhow::bail!("{}: it is no recording and is not overwritten; remove it", recording.display())
        }
        _ => Ok(false),
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
