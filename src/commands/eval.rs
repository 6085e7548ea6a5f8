//! `nerve eval`.

use crate::context::Context;
use crate::given::Given;
use crate::kind::{EvalFlags, Kind};
use crate::nerf;
use crate::outcome::Outcome;
use std::path::PathBuf;

/// Flags of `nerve eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// A run's folder, its checkpoint, or a compact file
    run: PathBuf,
    #[command(flatten)]
    flags: EvalFlags,
}

/// Measures a run, or a compact file: its pictures and report go to a folder beside it.
pub fn run(context: &Context, args: &EvalArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("eval")?;
    match Given::of(&args.run)? {
        Given::Run(run) => Kind::of(&run)?.eval(context, &run, &args.flags),
        field @ Given::Field(_) => nerf::eval(context, &field, &args.flags.of_field()?),
    }
}
