//! `nerve distill`.

use crate::context::Context;
use crate::distillation::DistillArgs;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use nerve_core::run::RunFolder;

/// Rebuilds layers of a trained run without backpropagation: a new run, and what became of its quality, size and speed.
pub fn run(context: &Context, args: &DistillArgs) -> anyhow::Result<Outcome> {
    args.options.validate().map_err(usage)?;
    let run = RunFolder::open(&args.run)?;
    anyhow::ensure!(
        run.checkpoint_path().exists(),
        "{}: no such file: the run has no checkpoint yet; `nerve resume {}` trains it",
        run.checkpoint_path().display(),
        run.path().display()
    );
    Kind::of(&run)?.distill(context, &run, args)
}
