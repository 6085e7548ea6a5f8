//! `nerve eval`.

use super::{Kind, Outcome};
use crate::context::Context;
use crate::nerf::{self, Session};
use crate::scene;
use nerve_core::run::RunFolder;
use nerve_data::scene::Split;
use std::path::PathBuf;

/// Flags of `nerve eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// The run's folder
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
    let folder = RunFolder::open(&args.run)?;
    match Kind::of(&folder)? {
        Kind::Nerf => evaluate(context, args, folder),
    }
}

fn evaluate(context: &Context, args: &EvalArgs, folder: RunFolder) -> anyhow::Result<Outcome> {
    let checkpoint = folder.checkpoint_path();
    if !checkpoint.exists() {
        anyhow::bail!(
            "{}: there is no such file, the run was never saved; `nerve resume {}` trains it",
            checkpoint.display(),
            folder.path().display()
        );
    }
    context.common.device.resolve()?;
    let config = folder.config()?;
    let mut trainer = nerf::trainer(context, &config, scene::load(context, &config.data)?)?;
    trainer.restore(&checkpoint)?;
    context.interrupt.clean();
    Session::new(context, folder, trainer).evaluate(args.split.map(Split::from))
}
