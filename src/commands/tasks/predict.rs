//! `nerve tasks predict`.

use crate::commands::seg::pictures;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use crate::{devices, format, tasks};
use anyhow::Context as _;
use nerve_core::device::keep_freed_memory;
use nerve_core::run::RunFolder;
use nerve_data::labels::picture::write_rgb;
use nerve_data::labels::rgb;
use nerve_vision::tasks::{MultiTask, load_adapter, montage, picture, predict};
use serde_json::json;
use std::path::PathBuf;

/// Flags of `nerve tasks predict`.
#[derive(Debug, clap::Args)]
pub struct TasksPredictArgs {
    /// A run's folder, or one with adapter.json and adapter.safetensors
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Pictures, or folders of pictures
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// Where the frozen backbone's weights are now, for an adapter's folder
    #[arg(long, value_name = "PATH")]
    weights: Option<PathBuf>,
}

/// Writes a picture a task, and all of them side by side.
pub fn run(context: &Context, args: &TasksPredictArgs) -> anyhow::Result<Outcome> {
    context.common.without_viewer("tasks predict")?;
    let found = pictures(&args.pictures)?;
    let model = open(context, args)?;
    let out = context.common.out.clone().unwrap_or_else(|| args.model.join("predictions"));
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let served = model.served()?;
    let counter = Counter::new("looking at pictures");
    let (mut done, mut failed) = (0, 0);
    for (i, path) in found.iter().enumerate() {
        if context.interrupt.clean().is_cancelled() {
            break;
        }
        let image = match rgb(path) {
            Ok(image) => image,
            // One that cannot be read does not keep the others from being looked at.
            Err(error) if found.len() > 1 => {
                remark(format_args!("warning: {error}; skipped"));
                failed += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let predictions = predict(&served, image.view()).with_context(|| path.display().to_string())?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut shown = vec![image.clone()];
        for (task, prediction) in model.tasks().iter().zip(&predictions) {
            let picture = picture(task, image.view(), prediction);
            write_rgb(&out.join(format!("{stem}_{}.png", task.task)), picture.view())?;
            shown.push(picture);
        }
        write_rgb(&out.join(format!("{stem}_tasks.png")), montage(&shown).view())?;
        context.output.line("picture", &json!({"picture": path, "tasks": model.tasks().len()}));
        done += 1;
        counter.set(i + 1, found.len());
    }
    drop(counter);
    anyhow::ensure!(failed < found.len(), "none of the {failed} pictures could be read");
    context.output.say(format_args!(
        "looked at {} of {}\nresults   {}: a PNG a task, and *_tasks.png with all of them",
        done,
        format::counted(found.len(), "picture"),
        out.display()
    ));
    Ok(match done + failed < found.len() {
        true => Outcome::Interrupted,
        false if failed > 0 => Outcome::Failed,
        false => Outcome::Done,
    })
}

fn open(context: &Context, args: &TasksPredictArgs) -> anyhow::Result<MultiTask> {
    if args.weights.is_none() && args.model.join("config.toml").exists() {
        let run = RunFolder::open(&args.model)?;
        let kind = nerve_vision::tasks::KIND;
        anyhow::ensure!(
            run.kind() == kind,
            "{} is a run of kind '{}': give one from `nerve tasks train`",
            run.path().display(),
            run.kind()
        );
        return Ok(tasks::alone(context, &run)?.1);
    }
    keep_freed_memory();
    let device = devices::for_segmenter(context)?;
    Ok(load_adapter(&args.model, args.weights.as_deref(), device)?)
}
