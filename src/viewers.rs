//! Viewers of what a command does, as listeners of its events.

use crate::context::Context;
use crate::outcome::usage;
use crate::output::remark;
use nerve_core::run::{Delivery, Events};
use nerve_viewer::Viewer;
use std::path::PathBuf;

/// Bytes of pictures that may wait for a viewer that is slow.
const WAITING: usize = 64 << 20;
/// What viewers keep a layout of scenes under.
pub const SCENES: &str = "nerve_scene";
/// The same of labels.
pub const LABELS: &str = "nerve_labels";

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
    let places = flags.places(Some(recording)).map_err(usage)?;
    if !places.is_empty() {
        events.request_previews(flags.preview_request());
    }
    for place in places {
        let title = format!("viewer ({place})");
        let side = flags.viewer_size as usize;
        let viewer = Viewer::new(place, layout, name, side, |text| remark(text));
        events.attach(title, Delivery::Live { bytes: WAITING }, viewer)?;
    }
    Ok(())
}
