//! `nerve resume`.

use crate::context::Context;
use crate::kind::Kind;
use crate::outcome::Outcome;
use nerve_core::run::RunFolder;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `nerve resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The run's folder
    run: PathBuf,
    /// Train to N steps in total, including those already done
    #[arg(long, value_name = "N", conflicts_with = "time")]
    steps: Option<u64>,
    /// Train to this much time in total, such as 10m, including the time already spent
    #[arg(long, value_name = "DURATION", value_parser = nerve_core::run::parse_time)]
    time: Option<Duration>,
    /// Do not evaluate at the end, now and when it is resumed again
    #[arg(long)]
    no_eval: bool,
}

/// Resumes a run.
pub fn run(context: &Context, args: &ResumeArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("resume")?;
    let run = RunFolder::open(&args.run)?;
    Kind::of(&run)?.resume(context, run, (args.steps, args.time), !args.no_eval)
}
