//! `nerve export`.

use crate::context::Context;
use crate::exports::{self, ExportForm};
use crate::given::Given;
use crate::kind::Kind;
use crate::outcome::Outcome;
use std::path::PathBuf;

/// Flags of `nerve export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A run's folder, its checkpoint, or a compact file
    run: PathBuf,
    #[command(subcommand)]
    form: ExportForm,
}

/// Writes a run in another form.
pub fn run(context: &Context, args: &ExportArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("export")?;
    context.common.without_viewer("export")?;
    args.form.validate()?;
    match Given::of(&args.run)? {
        Given::Run(run) => Kind::of(&run)?.export(context, &run, &args.form),
        field @ Given::Field(_) => exports::field(context, &field, &args.form),
    }
}
