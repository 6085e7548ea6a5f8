//! `nerve view`.

use crate::context::Context;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use anyhow::Context as _;
use nerve_core::run::RunFolder;
use nerve_viewer::{Destination, Program, contents, replay};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub use super::view_args::ViewArgs;

/// Between two looks at whether the user has had enough.
const LOOK: Duration = Duration::from_millis(100);

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
            let rebuilt = Kind::of(&folder)?.rebuild(context, &folder, &file)?;
            if rebuilt == Outcome::Interrupted {
                return Ok(Outcome::Interrupted);
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
