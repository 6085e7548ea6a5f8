//! `nerve eval`.

use super::{Kind, Outcome};
use crate::context::Context;
use crate::evaluation::{self, Target};
use crate::nerf;
use crate::scene;
use nerve_core::metrics::lpips::Lpips;
use nerve_core::run::RunFolder;
use nerve_data::scene::Split;
use nerve_nerf::{Trainer, compact};
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
    /// Measure LPIPS too, with these weights: AlexNet or VGG16 and the heads, in one file, several or a folder
    #[arg(long, value_name = "FILE")]
    lpips: Vec<PathBuf>,
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

/// Measures a run, or a compact file: its pictures and report go to a folder beside it.
pub fn run(context: &Context, args: &EvalArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("eval")?;
    // Before the scene, which takes longer to read.
    let lpips = if args.lpips.is_empty() { None } else { Some(Lpips::read(&args.lpips)?) };
    let (trainer, target) = if args.run.is_file() {
        (of_file(context, &args.run)?, Target::beside(&args.run))
    } else {
        let folder = RunFolder::open(&args.run)?;
        match Kind::of(&folder)? {
            Kind::Nerf => (nerf::restored(context, &folder)?, Target::of(&folder)),
        }
    };
    evaluation::evaluate(context, trainer, &target, args.split.map(Split::from), lpips.as_ref())
}

/// The field in a compact file.
fn of_file(context: &Context, file: &Path) -> anyhow::Result<Trainer> {
    let config = compact::configuration(file)?;
    context.common.device.resolve()?;
    let mut trainer = nerf::trainer(context, &config, Arc::new(scene::load(context, &config.data)?))?;
    trainer.read_compact(file)?;
    Ok(trainer)
}
