//! The subcommands. Flags of a model live with its configuration, in its crate.

use crate::commands::{compare, demo, eval, export, inspect, render, resume, seg, tasks, train, view};
use crate::common::Common;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::fmt::Display;
use std::sync::OnceLock;

const EXAMPLES: &str = "\
Examples:
  nerve train demo                       train on the built-in scene, 45 seconds
  nerve inspect data/fox                 check a capture before training
  nerve train data/fox --downscale 4     train on it, 5 minutes
  nerve train photos/kitchen             photos without poses: COLMAP finds them first
  nerve resume runs/fox --time 30m       continue, to half an hour in total
  nerve train demo --viewer spawn        watch the training in Rerun
  nerve view runs/demo                   look at it afterwards
  nerve eval runs/fox --split train      evaluate the training views
  nerve render runs/demo                 an orbit of the scene as pictures and a video
  nerve train data/lego --method hollow  HollowNeRF: prune a saliency grid while training
  nerve export runs/lego compact         one small file, which nerve eval reads
  nerve seg train data/camvid            train a segmenter, 20 minutes
  nerve seg predict runs/camvid photos   label pictures with it
  nerve demo scenes --tasks 400          images with labels of six dense tasks
  nerve tasks train scenes               adapt a frozen backbone to all of them

Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.";

/// Turns photographs into 3D scenes and into dense labels
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
    /// Resume an interrupted run, or train a run for longer
    Resume(resume::ResumeArgs),
    /// Evaluate a run on held-out data
    Eval(eval::EvalArgs),
    /// Render a trained field along a camera path: pictures, depth, normals, a video
    Render(Box<render::RenderArgs>),
    /// Show a run or a recording in Rerun
    View(view::ViewArgs),
    /// Train plain and hollow fields and compare them: table, CSV, plots
    Compare(Box<compare::CompareArgs>),
    /// Rebuild layers of a trained run as EUGen layers, or thinner, of low rank, in 8 bits, without backpropagation
    Distill(crate::distillation::DistillArgs),
    /// Export a run, as one small file
    Export(export::ExportArgs),
    /// Report what a scene or label set contains and what is wrong with it
    Inspect(inspect::InspectArgs),
    /// Write the built-in scene, or the built-in label set, to a folder
    Demo(demo::DemoArgs),
    /// Semantic segmentation: train, predict, info
    #[command(subcommand)]
    Seg(seg::SegCommand),
    /// Several dense tasks from one frozen backbone: train, evaluate, predict, list the methods
    #[command(subcommand)]
    Tasks(tasks::TasksCommand),
    /// List the vision models
    Models,
    /// Show what nerve finds on this machine
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
        let matches = command().get_matches();
        let _ = GIVEN.set(path(&matches));
        let checked = match matches.subcommand() {
            Some(("train", flags)) => train::check_flags(flags),
            _ => Ok(()),
        };
        let parsed = checked.map_err(error).and_then(|()| Self::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| error.exit())
    }
}

/// The subcommand that was given, such as `["seg", "train"]`.
static GIVEN: OnceLock<Vec<String>> = OnceLock::new();

fn path(mut matches: &ArgMatches) -> Vec<String> {
    let mut path = Vec::new();
    while let Some((name, below)) = matches.subcommand() {
        path.push(name.to_owned());
        matches = below;
    }
    path
}

/// A mistake that only shows after parsing, as clap reports mistakes, with the usage of the subcommand.
pub fn error(message: impl Display) -> clap::Error {
    let mut command = command();
    command.build();
    for name in GIVEN.get().into_iter().flatten() {
        if let Some(below) = command.find_subcommand(name).cloned() {
            command = below;
        }
    }
    command.error(ErrorKind::ValueValidation, message)
}

/// Commands that take no `--out`; it stays a flag of theirs, so that it is refused with the reason.
const WITHOUT_OUT: [&[&str]; 11] = [
    &["resume"],
    &["eval"],
    &["view"],
    &["export"],
    &["inspect"],
    &["demo"],
    &["models"],
    &["doctor"],
    &["seg", "info"],
    &["tasks", "eval"],
    &["tasks", "methods"],
];
/// Commands that show nothing in a viewer, likewise.
const WITHOUT_VIEWER: [&[&str]; 10] = [
    &["render"],
    &["export"],
    &["inspect"],
    &["demo"],
    &["models"],
    &["doctor"],
    &["seg", "info"],
    &["seg", "predict"],
    &["tasks", "predict"],
    &["tasks", "methods"],
];
/// Commands for which `--out` means something of its own.
const OUT: [(&[&str], &str); 6] = [
    (&["distill"], "Folder for the new run [default: runs/NAME-FORM, with a number if that exists]"),
    (&["render"], "Folder for the frames [default: RUN/PATH, such as runs/demo/orbit]"),
    (&["compare"], "Folder for the runs, tables and plots [default: runs/compare]"),
    (
        &["seg", "predict"],
        "Folder for the results [default: RUN/predictions, or predictions for a published segmenter]",
    ),
    (&["tasks", "predict"], "Folder for the results [default: MODEL/predictions]"),
    (&["tasks", "compare"], "Folder for the runs, table and plot [default: runs/compare-tasks]"),
];

/// The command line: each command's help shows the common flags that mean something to it.
fn command() -> clap::Command {
    let mut root = Cli::command();
    let of = |root: &clap::Command, wanted: &dyn Fn(&Arg) -> bool| -> Vec<Arg> {
        root.get_arguments().filter(|arg| arg.is_global_set() && wanted(arg)).cloned().collect()
    };
    let out = of(&root, &|arg| arg.get_id() == "out");
    let viewer = of(&root, &|arg| arg.get_help_heading() == Some("Viewer"));
    let hidden = |args: &[Arg]| args.iter().map(|arg| arg.clone().hide(true)).collect::<Vec<_>>();
    for path in WITHOUT_OUT {
        root = with(root, path, hidden(&out));
    }
    for path in WITHOUT_VIEWER {
        root = with(root, path, hidden(&viewer));
    }
    for (path, help) in OUT {
        root = with(root, path, out.iter().map(|arg| arg.clone().help(help)).collect());
    }
    numbers(root)
}

/// Gives the command at `path` its own form of global flags, which clap then leaves as they are.
fn with(command: clap::Command, path: &[&str], args: Vec<Arg>) -> clap::Command {
    match path {
        [] => command.args(args),
        [name, below @ ..] => {
            let name = (*name).to_owned();
            command.mut_subcommand(name, |command| with(command, below, args))
        }
    }
}

/// Lets negative numbers reach the checks of settings, which say what is allowed.
fn numbers(command: clap::Command) -> clap::Command {
    let number = |arg: Arg| {
        let takes = arg.get_action().takes_values() && !arg.is_positional();
        if takes { arg.allow_negative_numbers(true) } else { arg }
    };
    command.mut_args(number).mut_subcommands(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_fit_together() {
        command().debug_assert();
    }

    fn help(path: &[&str]) -> String {
        let mut root = command();
        root.build();
        let found = path.iter().try_fold(&root, |command, name| command.find_subcommand(name));
        found.map(|command| command.clone().render_help().to_string()).unwrap_or_default()
    }

    #[test]
    fn common_flags_are_shown_where_they_mean_something() {
        assert!(help(&["train"]).contains("--out <DIR>") && help(&["train"]).contains("--device"));
        for path in WITHOUT_OUT {
            let help = help(path);
            assert!(help.contains("--device") && !help.contains("--out"), "{path:?}: {help}");
        }
        for path in WITHOUT_VIEWER {
            let help = help(path);
            assert!(help.contains("--device") && !help.contains("--viewer"), "{path:?}: {help}");
        }
        assert!(help(&["seg", "predict"]).contains("RUN/predictions"));
    }

    #[test]
    fn common_flags_stand_before_and_after_a_command() {
        for args in [
            &["nerve", "--out", "x", "seg", "predict", "a", "b"][..],
            &["nerve", "seg", "predict", "a", "b", "--out", "x"],
        ] {
            let matches = command().try_get_matches_from(args).expect("flags in any position");
            let cli = Cli::from_arg_matches(&matches).expect("a command line");
            assert_eq!(cli.common.out.as_deref(), Some(std::path::Path::new("x")), "{args:?}");
        }
    }
}
