//! Rerun's.

use super::Found;
use crate::context::Context;
use crate::outcome::usage;
use crate::output::remark;
use nerve_core::run::{Delivery, Events};
pub use nerve_viewer::ViewerArgs;
use nerve_viewer::{Mode, Program, SDK_VERSION, Viewer};
use serde_json::json;
use std::path::PathBuf;

/// Bytes of pictures that may wait for a viewer that is slow.
const WAITING: usize = 64 << 20;

/// Attaches the viewers that are asked for, laid out as `layout` says. The recording is called `name`; a `save` that
/// names no file writes `recording`. A viewer that cannot be had is a warning, not an error.
pub fn attach(
    context: &Context,
    events: &Events,
    layout: &str,
    name: &str,
    recording: PathBuf,
) -> anyhow::Result<()> {
    let flags = &context.common.viewer;
    let destinations = flags.destinations(Some(recording)).map_err(usage)?;
    if !destinations.is_empty() {
        events.request_previews(flags.preview_request());
    }
    for destination in destinations {
        let title = format!("viewer ({destination})");
        let side = flags.viewer_size as usize;
        let viewer = Viewer::new(destination, layout, name, side, |text| remark(text));
        events.attach(title, Delivery::Live { bytes: WAITING }, viewer)?;
    }
    Ok(())
}

/// Whether each run would start a viewer of its own.
pub fn spawns(flags: &ViewerArgs) -> bool {
    flags.viewer.contains(&Mode::Spawn)
}

/// What there is to watch runs with on this machine.
pub fn found() -> Found {
    let program = Program::find();
    let page = if cfg!(feature = "web-viewer") { "; the page for browsers is in this build" } else { "" };
    let found = match &program {
        Some(program) if program.fits() => format!("rerun {SDK_VERSION}: {}", program.path.display()),
        Some(program) => format!(
            "rerun {} at {}, but recordings are of {SDK_VERSION}: {}",
            program.version.as_deref().unwrap_or("of unknown version"),
            program.path.display(),
            Program::remedy()
        ),
        None => format!("no `rerun` on the PATH; to watch on this machine: {}", Program::remedy()),
    };
    Found {
        text: found + page,
        program: json!(
            program.as_ref().map(|p| json!({"path": p.path, "version": p.version, "fits": p.fits()}))
        ),
        wanted: Some(SDK_VERSION),
    }
}
