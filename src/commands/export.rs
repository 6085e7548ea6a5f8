//! `nerve export`.

use crate::context::Context;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::progress::Counter;
use crate::{format, nerf};
use nerve_core::run::RunFolder;
use nerve_nerf::Model;
use nerve_nerf::compact::{CompactOptions, Values, write};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Flags of `nerve export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A run's folder
    run: PathBuf,
    #[command(subcommand)]
    form: Form,
}

/// What a run is written as.
#[derive(Debug, clap::Subcommand)]
enum Form {
    /// Write the field as one small file, which `nerve eval` reads
    Compact {
        /// File to write [default: RUN/NAME.compact]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        options: CompactOptions,
    },
}

/// Writes a run in another form.
pub fn run(context: &Context, args: &ExportArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("export")?;
    context.common.without_viewer("export")?;
    let Form::Compact { options, .. } = &args.form;
    options.validate().map_err(usage)?;
    let folder = RunFolder::open(&args.run)?;
    match (Kind::of(&folder)?, &args.form) {
        (Kind::Segmentation, _) => anyhow::bail!(
            "{}: a segmenter cannot be exported; its checkpoint.safetensors already holds named arrays that other programs can read",
            folder.path().display()
        ),
        (Kind::Nerf, Form::Compact { file, options }) => {
            let file = file.clone().unwrap_or_else(|| default_file(folder.path()));
            compact(context, &folder, &file, options)
        }
    }
}

fn default_file(run: &Path) -> PathBuf {
    let name = std::path::absolute(run).ok().and_then(|path| Some(path.file_name()?.to_owned()));
    run.join(name.unwrap_or_else(|| "field".into())).with_added_extension("compact")
}

fn compact(
    context: &Context,
    folder: &RunFolder,
    file: &Path,
    options: &CompactOptions,
) -> anyhow::Result<Outcome> {
    let mut model = Model::open_run(folder, &nerf::looking(context, false)?)?;
    let scene = if model.is_whole() || options.values == Values::F16 {
        None
    } else {
        Some(nerf::scene_of(context, &mut model, Some(folder), &folder.checkpoint_path())?)
    };
    let counter = Counter::new("calibrating levels");
    let report = write(&mut model, scene.as_ref(), file, options, &mut |done, all| counter.set(done, all))?;
    drop(counter);
    let line = |what: &str, bytes: u64| format!("{what:<42} {:>10}", format::megabytes(bytes));
    context.output.say(format_args!(
        "{}\n{}\n{}\n{}\nwrote {file}\nnext  nerve eval {file}",
        line("all values as 32-bit floats", report.full),
        line("without entries that no sample can reach", report.removed),
        line("quantized", report.quantised),
        line("entropy-coded: the file", report.file),
        file = file.display(),
    ));
    context.output.line("compact", &json!({"run": folder.path(), "file": file, "bytes": report}));
    Ok(Outcome::Done)
}
