//! `nerve tasks`: several dense tasks from one frozen backbone.

mod compare;
mod methods;
mod predict;
mod train;

use crate::commands::eval;
use crate::context::Context;
use crate::outcome::Outcome;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum TasksCommand {
    /// Train what a method adds to a frozen backbone, and a decoder a task
    Train(Box<train::TasksTrainArgs>),
    /// Evaluate a run on held-out images
    Eval(Box<eval::EvalArgs>),
    /// Show what a model says of pictures, all tasks side by side
    Predict(predict::TasksPredictArgs),
    /// Train several methods with several seeds and compare them: table, CSV, plot
    Compare(Box<compare::TasksCompareArgs>),
    /// List the methods
    Methods,
}

/// Does it.
pub fn run(context: &Context, command: TasksCommand) -> anyhow::Result<Outcome> {
    match command {
        TasksCommand::Train(args) => train::run(context, *args),
        TasksCommand::Eval(args) => eval::run(context, &args),
        TasksCommand::Predict(args) => predict::run(context, &args),
        TasksCommand::Compare(args) => compare::run(context, &args),
        TasksCommand::Methods => methods::run(context),
    }
}
