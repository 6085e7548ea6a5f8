//! The flags of every command.

use crate::outcome::{Usage, usage};
use crate::viewers::{self, ViewerArgs};
use nerve_core::device::DeviceArg;
use std::path::PathBuf;

/// Flags that are valid in any position.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Device to compute on: auto, cpu or cuda[:N]
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceArg,
    /// Output folder [default: runs/NAME, numbered if it exists]
    #[arg(long, global = true, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Worker threads; 0 uses one per core
    #[arg(long, global = true, value_name = "N", default_value_t = 0, value_parser = threads)]
    pub threads: usize,
    /// Print one JSON object per line to stdout; text for people goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Where to watch it.
    #[command(flatten)]
    pub viewer: ViewerArgs,
    /// Verbose output; twice for debug output
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    // One form of help, with a line for each flag.
    /// Print help
    #[arg(long, short, global = true, action = clap::ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print the version
    #[arg(long, short = 'V', action = clap::ArgAction::Version)]
    version: Option<bool>,
}

impl Common {
    /// Refuses `--viewer` where there is nothing to watch.
    pub fn without_viewer(&self, command: &str) -> Result<(), Usage> {
        match self.viewer.destinations(Some(PathBuf::new())).map_err(usage)?.is_empty() {
            true => Ok(()),
            false => Err(usage(format!(
                "--viewer has no meaning for `nerve {command}`: there is nothing to watch"
            ))),
        }
    }

    /// Refuses `--viewer spawn` for a command that makes many runs.
    pub fn without_spawned_viewer(&self) -> Result<(), Usage> {
        if viewers::spawns(&self.viewer) {
            return Err(usage(
                "every run would start its own viewer: start one yourself, and use --viewer connect",
            ));
        }
        Ok(())
    }

    /// Refuses `--out` for a command that makes no run.
    pub fn without_out(&self, command: &str) -> Result<(), Usage> {
        match &self.out {
            None => Ok(()),
            Some(_) => Err(usage(format!("--out has no meaning for `nerve {command}`, which makes no run"))),
        }
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 0..=1024) => Ok(threads),
        _ => Err("use 0 to 1024".into()),
    }
}
