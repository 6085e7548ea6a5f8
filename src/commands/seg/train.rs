//! `nerve seg train`.

use crate::commands::train::absolute;
use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::segmentation::{self, KIND, Session};
use nerve_core::run::{Existing, RunFolder};
use nerve_vision::segmentation::{SegConfig, Trainer};
use std::sync::Arc;
use std::time::Duration;

/// How long to train where nothing is said.
const TIME: Duration = Duration::from_secs(20 * 60);

/// Flags of `nerve seg train`.
#[derive(Debug, clap::Args)]
pub struct SegTrainArgs {
    /// Do not evaluate at the end
    #[arg(long, help_heading = "Run")]
    no_eval: bool,
    /// Replace the run that is in --out
    #[arg(long, help_heading = "Run", requires = "out")]
    overwrite: bool,
    #[command(flatten)]
    config: SegConfig,
}

/// Trains a new run.
pub fn run(context: &Context, args: SegTrainArgs) -> anyhow::Result<Outcome> {
    let mut config = args.config;
    config.validate().map_err(usage)?;
    if config.train.steps.is_none() {
        config.train.time.get_or_insert(TIME);
    }
    let device = context.common.device.resolve()?;
    config.data.labels = absolute(&config.data.labels)?;
    config.model.head_width = Some(config.model.width());
    config.model.weights = config.model.weights.as_deref().map(absolute).transpose()?;
    let set = segmentation::open(&config)?;
    let counts = segmentation::look(context, &set, &config)?;
    let name = set.name.clone();
    let trainer = Trainer::new(config.clone(), Arc::new(set), &counts, device)?;
    context.interrupt.clean();
    // This takes a name: nothing that can fail may follow but the run itself.
    let folder = match &context.common.out {
        Some(out) => out.clone(),
        None => RunFolder::next_free("runs", &name)?,
    };
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Keep };
    let run = RunFolder::create(folder, KIND, &config, existing)?;
    Session::new(context, run, trainer, counts).train(!args.no_eval)
}
