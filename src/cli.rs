//! The flags. Those of a model live with its configuration, in its crate.

use crate::commands::{compare, demo, eval, export, inspect, resume, seg, train, view};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use nerve_core::device::DeviceArg;
use nerve_viewer::ViewerArgs;
use std::fmt::Display;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  nerve train demo                       learn the built-in scene, 45 seconds
  nerve inspect data/fox                 what a capture holds, and what is wrong with it
  nerve train data/fox --downscale 4     learn it, 5 minutes
  nerve train photos/kitchen             bare photos: COLMAP finds their poses first
  nerve resume runs/fox --time 30m       go on, to half an hour in all
  nerve train demo --viewer spawn        watch it learn, in Rerun
  nerve view runs/demo                   look at it afterwards
  nerve eval runs/fox --split train      measure the views it was trained on
  nerve train data/lego --method hollow  prune a saliency grid while it trains
  nerve export runs/lego compact         one small file, which eval reads
  nerve seg train data/camvid            learn to label pictures, 20 minutes
  nerve seg predict runs/camvid photos   label them

Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.";

/// nerve turns photographs into 3D scenes and into dense labels.
#[derive(Debug, Parser)]
#[command(name = "nerve", version, after_help = EXAMPLES, disable_help_flag = true, disable_version_flag = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten, next_help_heading = "Common")]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a radiance field on posed photographs
    Train(Box<train::TrainArgs>),
    /// Go on with a run that was interrupted, or train it for longer
    Resume(resume::ResumeArgs),
    /// Measure a run on held-out views and render them
    Eval(eval::EvalArgs),
    /// Look at a run, or at a recording, in Rerun
    View(view::ViewArgs),
    /// Train plain and hollow fields side by side: table, CSV, plot
    Compare(Box<compare::CompareArgs>),
    /// Write a run in another form, such as one small file
    Export(export::ExportArgs),
    /// Tell what a scene holds and what is wrong with it, before any training
    Inspect(inspect::InspectArgs),
    /// Write the built-in scene to a folder, or the built-in pictures with labels
    Demo(demo::DemoArgs),
    /// Semantic segmentation: train, predict, info
    #[command(subcommand)]
    Seg(seg::SegCommand),
    /// List the vision models that can be built and loaded
    Models,
    /// Tell what nerve finds on this machine
    Doctor,
}

/// Flags that are valid in any position.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Where to compute: auto, cpu or cuda[:N]
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceArg,
    /// Folder of the run to train [default: runs/NAME, numbered if taken]
    #[arg(long, global = true, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Worker threads; 0 is one per core
    #[arg(long, global = true, value_name = "N", default_value_t = 0, value_parser = threads)]
    pub threads: usize,
    /// One JSON object a line on stdout; text for people goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Where to watch it.
    #[command(flatten)]
    pub viewer: ViewerArgs,
    /// Tell more; twice for debugging
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

impl Cli {
    /// What the process was started with. What is wrong with it is said, and ends it with exit code 2.
    pub fn given() -> Self {
        // Said here for all paths: clap hands them on as they are.
        if let Some(odd) = std::env::args_os().find(|argument| argument.to_str().is_none()) {
            let odd = odd.to_string_lossy();
            usage(format!("'{odd}' is not UTF-8, which config.toml and JSON need: rename it")).exit();
        }
        let matches = Self::command().get_matches();
        let checked = match matches.subcommand() {
            Some(("train", flags)) => train::check_flags(flags),
            _ => Ok(()),
        };
        checked.and_then(|()| Self::from_arg_matches(&matches)).unwrap_or_else(|error| error.exit())
    }
}

impl Common {
    /// Refuses `--viewer` where there is nothing to watch.
    pub fn without_viewer(&self, command: &str) -> Result<(), clap::Error> {
        match self.viewer.places(Some(PathBuf::new())).map_err(usage)?.is_empty() {
            true => Ok(()),
            false => Err(usage(format!(
                "--viewer has no meaning for `nerve {command}`: there is nothing to watch"
            ))),
        }
    }

    /// Refuses `--out` for a command that makes no run.
    pub fn without_out(&self, command: &str) -> Result<(), clap::Error> {
        match &self.out {
            None => Ok(()),
            Some(_) => Err(usage(format!("--out has no meaning for `nerve {command}`: it makes no run"))),
        }
    }
}

/// A mistake on the command line that only shows after parsing.
pub fn usage(message: impl Display) -> clap::Error {
    Cli::command().error(ErrorKind::ValueValidation, message)
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 0..=1024) => Ok(threads),
        _ => Err("use 0 to 1024".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }
}
