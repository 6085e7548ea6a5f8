//! `nerve seg info`.

use crate::context::Context;
use crate::format;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::segmentation;
use nerve_core::run::RunFolder;
use nerve_vision::load::{Access, WeightSource, room};
use nerve_vision::zoo::{self, Architecture};
use serde_json::json;
use std::path::Path;

/// Flags of `nerve seg info`.
#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    /// A name from `nerve models`, the folder or Hugging Face hub name of a published model, or a run's folder
    model: String,
    /// Height and width of the image [default: the size its weights were trained on]
    #[arg(long, value_name = "HxW", value_parser = nerve_vision::segmentation::parse_size)]
    size: Option<[usize; 2]>,
}

/// Tells what a model costs for one image.
pub fn run(context: &Context, args: &InfoArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("seg info")?;
    context.common.without_viewer("seg info")?;
    let entry = zoo::find(&args.model);
    let (architecture, most) = match entry {
        Some(entry) => (entry.architecture(), usize::MAX),
        None => {
            if Path::new(&args.model).join("config.toml").exists() {
                return of_run(context, &args.model);
            }
            let source = WeightSource::find(&args.model, Access::Offline).map_err(|error| {
                anyhow::anyhow!(
                    "'{}' is not a name from `nerve models`, and there is no such model: {error}",
                    args.model
                )
            })?;
            (Architecture::published(&source)?, room(&source))
        }
    };
    let side = entry.map_or(224, |entry| entry.image);
    let size = args.size.unwrap_or([side; 2]);
    if size.iter().any(|side| !(8..=4096).contains(side)) {
        return Err(usage("--size: 8 to 4096 on each side").into());
    }
    let info = zoo::info(&architecture, size, most)?;
    let (macs, activations) = (info.cost.macs as f64, info.cost.activations as f64);
    let outputs: Vec<String> = info
        .outputs
        .iter()
        .map(|shape| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"))
        .collect();
    context.output.say(format_args!(
        "model        {}\nimage        {}x{}\nparameters   {}\nMACs         {:.2} G ({:.2} GFLOP)\n\
         activations  {:.1} M\noutputs      {}",
        args.model,
        size[0],
        size[1],
        format::whole(info.parameters),
        macs / 1e9,
        2.0 * macs / 1e9,
        activations / 1e6,
        outputs.join(", ")
    ));
    let fields = json!({
        "model": args.model, "size": size, "parameters": info.parameters, "macs": info.cost.macs,
        "activations": info.cost.activations, "outputs": info.outputs,
    });
    context.output.line("info", &fields);
    Ok(Outcome::Done)
}

/// Tells what the parts of a run's segmenter count.
fn of_run(context: &Context, path: &str) -> anyhow::Result<Outcome> {
    let run = RunFolder::open(Path::new(path))?;
    anyhow::ensure!(
        Kind::of(&run)? == Kind::Segmentation,
        "{path} is a run of kind '{}': give a segmenter's, from `nerve seg train`",
        run.kind()
    );
    let (segmenter, classes) = segmentation::alone(context, &run)?;
    let parts = segmenter.parts();
    let width = parts.iter().map(|part| part.name.len()).max().unwrap_or(0).max(10);
    let mut text = format!("{:<width$}   {path}\n{:<width$}   {}\n", "run", "classes", classes.len());
    for part in &parts {
        let kept = part.weights - part.trained;
        let frozen = if kept > 0 { format!(" ({} frozen)", format::whole(kept)) } else { String::new() };
        text += &format!("{:<width$}   {}{frozen}\n", part.name, format::whole(part.weights));
    }
    let all: usize = parts.iter().map(|part| part.weights).sum();
    text += &format!("{:<width$}   {}", "parameters", format::whole(all));
    context.output.say(text);
    context.output.line("info", &json!({"run": path, "parameters": all, "parts": parts}));
    Ok(Outcome::Done)
}
