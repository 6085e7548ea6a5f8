//! Of a build without viewer: `--viewer` stays, so that a script's `--viewer off` works everywhere, and says of all
//! else why there is nothing.

use super::Found;
use crate::context::Context;
use nerve_core::run::Events;
use serde_json::Value;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Why there is none, and the remedy.
pub const ABSENT: &str = "this build has no viewer: build nerve with its default features, \
    `cargo build --release` without --no-default-features";

/// The flags.
#[derive(Clone, Debug, clap::Args)]
pub struct ViewerArgs {
    /// Not in this build, which was made without the feature `viewer`: off alone is possible
    #[arg(long, global = true, value_name = "WHERE", default_value = "off", help_heading = "Viewer")]
    viewer: Off,
}

/// The one destination where a run is shown.
#[derive(Clone, Copy, Debug)]
struct Off;

impl FromStr for Off {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" { Ok(Self) } else { Err(ABSENT) }
    }
}

impl ViewerArgs {
    /// Where to show it: nowhere.
    pub fn destinations(&self, _: Option<PathBuf>) -> Result<Vec<Infallible>, String> {
        let Off = self.viewer;
        Ok(Vec::new())
    }
}

/// Attaches none.
pub fn attach(_: &Context, _: &Events, _: &str, _: &str, _: PathBuf) -> anyhow::Result<()> {
    Ok(())
}

/// Whether each run would start a viewer of its own.
pub fn spawns(_: &ViewerArgs) -> bool {
    false
}

/// That there is none.
pub fn found() -> Found {
    Found { text: ABSENT.to_owned(), program: Value::Null, wanted: None }
}
