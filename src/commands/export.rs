//! `nerve export`.

use crate::context::Context;
use crate::kind::{ExportForm, Kind};
use crate::outcome::{Outcome, usage};
use nerve_core::run::RunFolder;
use std::path::PathBuf;

/// Flags of `nerve export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A run's folder
    run: PathBuf,
    #[command(subcommand)]
    form: ExportForm,
}

/// Writes a run in another form.
pub fn run(context: &Context, args: &ExportArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("export")?;
    context.common.without_viewer("export")?;
    let ExportForm::Compact { options, .. } = &args.form;
    options.validate().map_err(usage)?;
    let run = RunFolder::open(&args.run)?;
    Kind::of(&run)?.export(context, &run, &args.form)
}
