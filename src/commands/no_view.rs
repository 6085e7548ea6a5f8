//! `nerve view` of a build without viewer: what to do instead.

use crate::context::Context;
use crate::outcome::Outcome;
use crate::viewers::ABSENT;

pub use super::view_args::ViewArgs;

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
