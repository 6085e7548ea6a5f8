//! `nerve resume`.

use super::Kind;
use crate::context::Context;
use crate::nerf::{self, Session};
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::{forecast, scene, segmentation};
use nerve_core::run::RunFolder;
use nerve_nerf::NerfConfig;
use nerve_vision::segmentation::{SegConfig, Trainer, class_pixels};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Flags of `nerve resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The run's folder
    run: PathBuf,
    /// Train until so many steps are done in all, those before included
    #[arg(long, value_name = "N", conflicts_with = "time")]
    steps: Option<u64>,
    /// Train until so much time is spent in all, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = nerve_core::run::parse_time)]
    time: Option<Duration>,
    /// Do not evaluate at the end
    #[arg(long)]
    no_eval: bool,
}

/// Goes on with a run.
pub fn run(context: &Context, args: &ResumeArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("resume")?;
    let folder = RunFolder::open(&args.run)?;
    match Kind::of(&folder)? {
        Kind::Nerf => resume(context, args, folder),
        Kind::Segmentation => resume_segmentation(context, args, folder),
    }
}

fn resume_segmentation(
    context: &Context,
    args: &ResumeArgs,
    mut folder: RunFolder,
) -> anyhow::Result<Outcome> {
    folder.lock()?;
    let saved: SegConfig = folder.config()?;
    let mut config = saved.clone();
    if args.steps.is_some() || args.time.is_some() {
        (config.train.steps, config.train.time) = (args.steps, args.time);
        config.validate().map_err(usage)?;
    }
    let device = context.common.device.resolve()?;
    let set = segmentation::open(&config)?;
    // That it is wanted is said before the training, not after it.
    config.data.val_split.as_deref().map(|name| set.split(name)).transpose()?;
    let checkpoint = folder.checkpoint_path();
    let (trainer, counts) = if checkpoint.exists() {
        let counts = class_pixels(&checkpoint)?;
        (Trainer::restored(config.clone(), Arc::new(set), &checkpoint, device)?, counts)
    } else {
        remark(format_args!("{} was never saved: starting from the beginning", folder.path().display()));
        let counts = segmentation::look(context, &set, &config)?;
        (Trainer::new(config.clone(), Arc::new(set), &counts, device)?, counts)
    };
    if trainer.progress() >= 1.0 && (args.no_eval || nerf::is_evaluated(&folder, trainer.step_count(), None))
    {
        return Ok(nothing_left(context, &folder, trainer.step_count(), trainer.elapsed()));
    }
    context.interrupt.clean();
    if config != saved {
        folder.write_config(&config)?;
    }
    segmentation::Session::new(context, folder, trainer, counts).train(!args.no_eval)
}

fn resume(context: &Context, args: &ResumeArgs, mut folder: RunFolder) -> anyhow::Result<Outcome> {
    folder.lock()?;
    let saved: NerfConfig = folder.config()?;
    let mut config = saved.clone();
    if args.steps.is_some() || args.time.is_some() {
        (config.train.steps, config.train.time) = (args.steps, args.time);
        config.validate().map_err(usage)?;
    }
    context.common.device.resolve()?;
    let outline = scene::outline(&config.data)?;
    forecast::check_resumed(&config, outline.as_ref())?;
    let scene = scene::load_outlined(context, &config.data, outline)?;
    let mut trainer = nerf::trainer(context, &config, Arc::new(scene))?;
    let checkpoint = folder.checkpoint_path();
    if checkpoint.exists() {
        trainer.resume(&checkpoint)?;
    } else {
        // Killed before the first checkpoint: the same start gives the same run.
        remark(format_args!("{} was never saved: starting from the beginning", folder.path().display()));
    }
    let (done, step) = (trainer.progress() >= 1.0, trainer.step_count());
    if done && (args.no_eval || nerf::is_evaluated(&folder, step, None)) {
        return Ok(nothing_left(context, &folder, trainer.step_count(), trainer.elapsed()));
    }
    context.interrupt.clean();
    if config != saved {
        folder.write_config(&config)?;
    }
    Session::new(context, folder, trainer).train(!args.no_eval)
}

/// The run is as long as it should be.
fn nothing_left(context: &Context, folder: &RunFolder, step: u64, elapsed: Duration) -> Outcome {
    context.output.say(format_args!(
        "nothing left to do: {} is at step {step} after {}; --steps or --time train it for longer",
        folder.path().display(),
        crate::format::time(elapsed)
    ));
    context.output.line("nothing", &serde_json::json!({"run": folder.path(), "step": step}));
    Outcome::Done
}
