//! `nerve seg train`.

use crate::commands::train::absolute;
use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::session::{NewRun, length_help};
use crate::{devices, segmentation};
use nerve_vision::segmentation::{SegConfig, Trainer};
use std::sync::Arc;
use std::time::Duration;

/// How long to train where nothing is said.
const TIME: Duration = Duration::from_secs(20 * 60);

/// Flags of `nerve seg train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("time", |time| length_help(time, "20m")))]
pub struct SegTrainArgs {
    #[command(flatten)]
    new: NewRun,
    #[command(flatten)]
    config: SegConfig,
}

/// Trains a new run.
pub fn run(context: &Context, args: SegTrainArgs) -> anyhow::Result<Outcome> {
    let mut config = args.config;
    config.validate().map_err(usage)?;
    if config.train.run.steps.is_none() {
        config.train.run.time.get_or_insert(TIME);
    }
    if config.model.freeze_backbone && config.model.weights.is_none() {
        remark(
            "warning: --freeze-backbone without --weights keeps the backbone's random weights; give it --weights",
        );
    }
    args.new.check(context.common.out.as_deref())?;
    let device = devices::for_segmenter(context)?;
    config.data.labels = absolute(&config.data.labels)?;
    config.model.head_width = Some(config.model.width());
    config.model.weights = config.model.weights.as_deref().map(absolute).transpose()?;
    let language = &mut config.model.language;
    language.text = language.text.as_deref().map(absolute).transpose()?;
    language.tokenizer = language.tokenizer.as_deref().map(absolute).transpose()?;
    let set = segmentation::open(&config)?;
    let counts = segmentation::look(context, &set, &config)?;
    let name = set.name.clone();
    let trainer = Trainer::new(config.clone(), Arc::new(set), &counts, device)?;
    args.new.train(context, &name, &config, trainer)
}
