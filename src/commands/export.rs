//! `nerve export`.

use crate::context::Context;
use crate::given::Given;
use crate::kind::{ExportForm, Kind};
use crate::nerf;
use crate::outcome::{Outcome, usage};
use std::path::PathBuf;

/// Flags of `nerve export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A run's folder, or its checkpoint
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
    match Given::of(&args.run)? {
        Given::Run(run) => Kind::of(&run)?.export(context, &run, &args.form),
        field @ Given::Field(_) => {
            let ExportForm::Compact { file, options } = &args.form;
            nerf::export(context, &field, file.as_deref(), options)
        }
    }
}
