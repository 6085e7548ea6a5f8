//! The command line: `nerve --help`. It parses, dispatches and reports; the crates below it do the work.

mod cli;
mod commands;
mod common;
mod context;
mod devices;
mod distillation;
mod evaluation;
mod exports;
mod forecast;
mod format;
mod frames;
mod given;
mod interrupt;
mod kind;
mod lines;
mod nerf;
mod outcome;
mod output;
mod photos;
mod progress;
#[cfg(feature = "viewer")]
mod rebuild;
mod scene;
mod segmentation;
mod session;
mod sinks;
mod speed;
mod tasks;
mod video;
mod viewers;

use cli::{Cli, Command};
use commands::{
    compare, demo, distill, doctor, eval, export, inspect, models, render, resume, seg,
    tasks as tasks_command, train, view,
};
use context::Context;
use lines::Lines;
use nerve_data::photos::PhotosError;
use outcome::{Outcome, Usage, usage};
use output::{Output, remark};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::given();
    let output = Output::new(cli.common.json);
    let code = match run(cli) {
        Ok(outcome) => outcome.code(),
        Err(error) => fail(output, &error),
    };
    Lines::finish();
    code
}

fn run(cli: Cli) -> anyhow::Result<Outcome> {
    cli.common.viewer.destinations(Some(PathBuf::new())).map_err(usage)?;
    let context = Context::new(cli.common)?;
    match cli.command {
        Command::Train(args) => train::run(&context, *args),
        Command::Resume(args) => resume::run(&context, &args),
        Command::Eval(args) => eval::run(&context, &args),
        Command::Render(args) => render::run(&context, *args),
        Command::View(args) => view::run(&context, &args),
        Command::Compare(args) => compare::run(&context, &args),
        Command::Export(args) => export::run(&context, &args),
        Command::Distill(args) => distill::run(&context, &args),
        Command::Inspect(args) => inspect::run(&context, &args),
        Command::Demo(args) => demo::run(&context, &args),
        Command::Seg(command) => seg::run(&context, command),
        Command::Tasks(command) => tasks_command::run(&context, command),
        Command::Models => models::run(&context),
        Command::Doctor => doctor::run(&context),
    }
}

/// Says once what went wrong: 2 for a wrong command line, 1 for everything else.
fn fail(output: Output, error: &anyhow::Error) -> ExitCode {
    if let Some(mistake) = error.downcast_ref::<Usage>() {
        cli::error(mistake).exit();
    }
    if let Some(stopped @ PhotosError::Cancelled { .. }) = error.downcast_ref() {
        remark(stopped);
        return ExitCode::from(interrupt::EXIT_CODE);
    }
    output.line("error", &json!({"message": format!("{error:#}")}));
    let mut said = error.to_string();
    remark(format_args!("error: {said}"));
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors already quote their cause.
        if !said.contains(&cause) {
            remark(format_args!("  because: {cause}"));
            said = cause;
        }
    }
    ExitCode::FAILURE
}
