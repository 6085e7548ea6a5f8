//! `nerve tasks train`.

use crate::commands::train::absolute;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::session::{NewRun, length_help};
use crate::{devices, tasks};
use nerve_vision::tasks::{TasksConfig, Trainer};
use std::sync::Arc;
use std::time::Duration;

/// How long to train where nothing is said.
const TIME: Duration = Duration::from_secs(20 * 60);

/// Flags of `nerve tasks train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("time", |time| length_help(time, "20m")))]
pub struct TasksTrainArgs {
    #[command(flatten)]
    new: NewRun,
    #[command(flatten)]
    config: TasksConfig,
}

/// Trains a new run.
pub fn run(context: &Context, args: TasksTrainArgs) -> anyhow::Result<Outcome> {
    let mut config = args.config;
    tasks::check(&config)?;
    if config.train.run.steps.is_none() {
        config.train.run.time.get_or_insert(TIME);
    }
    args.new.check(context.common.out.as_deref())?;
    let device = devices::for_segmenter(context)?;
    config.data.labels = absolute(&config.data.labels)?;
    config.model.weights = config.model.weights.as_deref().map(absolute).transpose()?;
    let set = tasks::open(&config)?;
    let name = set.name.clone();
    let trainer = Trainer::new(config.clone(), Arc::new(set), device)?;
    args.new.train(context, &name, &config, trainer)
}
