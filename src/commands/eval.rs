//! `nerve eval`.

use super::Kind;
use crate::context::Context;
use crate::evaluation::{self, Target};
use crate::nerf;
use crate::outcome::{Outcome, usage};
use crate::progress::Counter;
use crate::segmentation;
use nerve_core::metrics::lpips::Lpips;
use nerve_core::run::RunFolder;
use nerve_data::scene::Split;
use nerve_nerf::{Model, compact};
use nerve_vision::segmentation::{Inference, evaluate, step_of};
use std::path::PathBuf;

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
    /// Measure from poses fitted to the photographs too, as is always done after --refine-poses
    #[arg(long)]
    fit_poses: bool,
    /// How a segmenter looks at pictures.
    #[command(flatten, next_help_heading = "Segmenters")]
    inference: Inference,
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
    let options = nerf::looking(context, args.fit_poses)?;
    let (mut model, file, target) = if args.run.is_file() {
        // Of files, only these stand for themselves.
        compact::configuration(&args.run)?;
        (Model::open(&args.run, &options)?, args.run.clone(), Target::beside(&args.run))
    } else {
        let folder = RunFolder::open(&args.run)?;
        match Kind::of(&folder)? {
            Kind::Nerf => {
                (Model::open_run(&folder, &options)?, folder.checkpoint_path(), Target::of(&folder))
            }
            Kind::Segmentation => return labels(context, args, &folder),
        }
    };
    let scene = nerf::scene_of(context, &mut model, &file)?;
    evaluation::run(context, &mut model, &scene, &target, args.split.map(Split::from), lpips.as_ref())
}

/// A segmenter, on a split of its data.
fn labels(context: &Context, args: &EvalArgs, folder: &RunFolder) -> anyhow::Result<Outcome> {
    anyhow::ensure!(args.lpips.is_empty(), usage("--lpips has no meaning for a segmenter"));
    anyhow::ensure!(!args.fit_poses, usage("--fit-poses has no meaning for a segmenter"));
    args.inference.validate().map_err(usage)?;
    let (config, set, segmenter) = segmentation::restored(context, folder)?;
    let wanted = args.split.map(|split| Split::from(split).name());
    let split = match wanted.or(config.data.val_split.as_deref()) {
        Some(name) => set.split(name)?,
        None => match set.held_out() {
            Some(split) => split,
            None => set.split("val")?,
        },
    };
    let split = &config.data.limited(split);
    let (cancel, counter) = (context.interrupt.clean(), Counter::new("measuring pictures"));
    let total = split.pairs.len();
    let mut seen = |place: usize, _: &_, _: &_| counter.set(place + 1, total);
    let measured = evaluate(&segmenter, &set, split, &args.inference, true, cancel, &mut seen)?;
    drop(counter);
    let Some(measured) = measured else { return Ok(Outcome::Interrupted) };
    let step = step_of(&folder.checkpoint_path())?;
    let report = segmentation::report(step, &split.name, &args.inference, &measured);
    segmentation::keep(folder, &set, &report, &measured)?;
    context.output.say(segmentation::table(&measured));
    context
        .output
        .say(format_args!("results   {}: eval.json, confusion.csv, confusion.png", folder.path().display()));
    context.output.line("eval", &report);
    Ok(Outcome::Done)
}
