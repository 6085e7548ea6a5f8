//! `nerve eval`.

use crate::context::Context;
use crate::kind::{EvalFlags, Kind};
use crate::nerf;
use crate::outcome::Outcome;
use nerve_core::run::RunFolder;
use nerve_data::scene::Split;
use std::path::PathBuf;

/// Flags of `nerve eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// A run's folder, or a compact file
    run: PathBuf,
    #[command(flatten)]
    flags: EvalFlags,
}

/// Measures a run, or a compact file: its pictures and report go to a folder beside it.
pub fn run(context: &Context, args: &EvalArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("eval")?;
    let flags = &args.flags;
    if args.run.is_file() {
        flags.check_field()?;
        let split = flags.split.map(Split::from);
        return nerf::eval_file(context, &args.run, split, &flags.lpips, flags.fit_poses);
    }
    let run = RunFolder::open(&args.run)?;
    Kind::of(&run)?.eval(context, &run, flags)
}
