//! The subcommands. Flags of a model live with its configuration, in its crate.

use crate::commands::{compare, demo, eval, export, inspect, resume, seg, train, view};
use crate::common::Common;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::fmt::Display;

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

impl Cli {
    /// What the process was started with. What is wrong with it is said, and ends it with exit code 2.
    pub fn given() -> Self {
        // Said here for all paths: clap hands them on as they are.
        if let Some(odd) = std::env::args_os().find(|argument| argument.to_str().is_none()) {
            let odd = odd.to_string_lossy();
            error(format!("'{odd}' is not UTF-8, which config.toml and JSON need: rename it")).exit();
        }
        let matches = Self::command().get_matches();
        let checked = match matches.subcommand() {
            Some(("train", flags)) => train::check_flags(flags),
            _ => Ok(()),
        };
        let parsed = checked.map_err(error).and_then(|()| Self::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| error.exit())
    }
}

/// A mistake that only shows after parsing, as clap says mistakes.
pub fn error(message: impl Display) -> clap::Error {
    Cli::command().error(ErrorKind::ValueValidation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }
}
