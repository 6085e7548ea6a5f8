//! `nerve eval`.

use super::{Kind, Outcome};
use crate::context::Context;
use crate::evaluation::{self, Target};
use crate::nerf;
use crate::scene;
use nerve_core::run::RunFolder;
use nerve_data::scene::Split;
use nerve_nerf::compact;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Flags of `nerve eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// The run's folder, or a compact file
    run: PathBuf,
    /// Which views [default: test, or val where there is no test]
    #[arg(long, value_enum)]
    split: Option<SplitArg>,
}

/// A split on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SplitArg {
    Test,
    Val,
    Train,
}

impl From<SplitArg> for Split {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Test => Self::Test,
            SplitArg::Val => Self::Val,
            SplitArg::Train => Self::Train,
        }
    }
}

/// Measures a run.
pub fn run(context: &Context, args: &EvalArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("eval")?;
    if args.run.is_file() {
        return evaluate_file(context, args, &args.run);
    }
    let folder = RunFolder::open(&args.run)?;
    match Kind::of(&folder)? {
        Kind::Nerf => evaluate(context, args, folder),
    }
}

fn evaluate(context: &Context, args: &EvalArgs, folder: RunFolder) -> anyhow::Result<Outcome> {
    let trainer = nerf::restored(context, &folder)?;
    evaluation::evaluate(context, trainer, &Target::of(&folder), args.split.map(Split::from))
}

/// Measures a compact file; pictures and report go to a folder beside it.
fn evaluate_file(context: &Context, args: &EvalArgs, file: &Path) -> anyhow::Result<Outcome> {
    let config = compact::configuration(file)?;
    context.common.device.resolve()?;
    let mut trainer = nerf::trainer(context, &config, Arc::new(scene::load(context, &config.data)?))?;
    trainer.read_compact(file)?;
    evaluation::evaluate(context, trainer, &Target::beside(file), args.split.map(Split::from))
}
