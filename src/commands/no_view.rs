//! `nerve view` of a build without viewer: what to do instead.

use crate::context::Context;
use crate::outcome::Outcome;
use crate::viewers::ABSENT;
use std::path::PathBuf;

/// Flags of `nerve view`.
#[derive(Debug, clap::Args)]
pub struct ViewArgs {
    /// The run's folder, or a recording (.rrd)
    #[arg(value_name = "RUN|FILE")]
    what: PathBuf,
    /// Make a run's recording anew, even if it has one
    #[arg(long)]
    rebuild: bool,
}

/// Says what else shows a run.
pub fn run(context: &Context, args: &ViewArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("view")?;
    let what = args.what.display();
    if args.what.is_file() {
        anyhow::bail!("{ABSENT}; a recording opens in Rerun's own program as well: rerun {what}");
    }
    anyhow::bail!(
        "{ABSENT}; without it, `nerve eval {what}` writes pictures of its held-out views to {what}/renders"
    )
}
