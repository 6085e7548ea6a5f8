//! Viewers of what a command does, as listeners of its events: Rerun's, or none in a build without the feature `viewer`.

#[cfg(not(feature = "viewer"))]
mod none;
#[cfg(feature = "viewer")]
mod rerun;

#[cfg(not(feature = "viewer"))]
pub use none::{ABSENT, ViewerArgs, attach, found, spawns};
#[cfg(feature = "viewer")]
pub use rerun::{ViewerArgs, attach, found, spawns};
use serde_json::Value;

/// What viewers keep a layout of scenes under.
pub const SCENES: &str = "nerve_scene";
/// The same of labels.
pub const LABELS: &str = "nerve_labels";

/// Whether runs can be watched on this machine, as `nerve doctor` tells it.
pub struct Found {
    /// For people.
    pub text: String,
    /// For programs: where the viewer is and whether it fits, or null.
    pub program: Value,
    /// The viewer's version that would fit; none of a build without viewer.
    pub wanted: Option<&'static str>,
}
