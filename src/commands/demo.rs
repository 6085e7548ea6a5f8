//! `nerve demo`.

use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::progress::Counter;
use nerve_data::demo::labels::LabelDemo;
use nerve_data::demo::tasks::TaskDemo;
use nerve_data::demo::{self, DemoConfig, DemoError};
use serde_json::json;
use std::path::PathBuf;

/// Flags of `nerve demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder to write to: new, empty, or an earlier demo scene
    #[arg(value_name = "OUT")]
    folder: PathBuf,
    /// Width and height of the images in pixels [default: 200, or 96 with --tasks]
    #[arg(long, value_name = "N")]
    resolution: Option<usize>,
    /// Number of training views
    #[arg(long, value_name = "N", default_value_t = DemoConfig::default().train)]
    train: usize,
    /// Write images with labels instead, for `nerve seg train`
    #[arg(long, conflicts_with_all = ["resolution", "train", "test"])]
    labels: bool,
    /// Write N images with labels of six dense tasks instead, and a quarter as many held out, for `nerve tasks train`
    #[arg(long, value_name = "N", conflicts_with_all = ["train", "test", "labels"])]
    tasks: Option<usize>,
    /// Number of held-out views, at least 1
    #[arg(long, value_name = "N", default_value_t = DemoConfig::default().test)]
    test: usize,
}

/// Writes the scene.
pub fn run(context: &Context, args: &DemoArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("demo")?;
    context.common.without_viewer("demo")?;
    if args.labels {
        return labels(context, args);
    }
    if let Some(images) = args.tasks {
        return tasks(context, args, images);
    }
    let config = DemoConfig {
        resolution: args.resolution.unwrap_or(DemoConfig::default().resolution),
        train: args.train,
        test: args.test,
        ..DemoConfig::default()
    };
    config.check().map_err(usage)?;
    if config.test == 0 {
        // A file without frames could not be read back.
        let error = DemoError::Config { field: "test", value: 0, low: 1, high: 10_000 };
        return Err(usage(error).into());
    }
    let counter = Counter::new("rendering views");
    demo::write(&args.folder, &config, &|done, total| counter.set(done, total))?;
    drop(counter);
    let folder = args.folder.display();
    context.output.say(format_args!(
        "wrote {} training and {} held-out views of {n}x{n} to {folder}\nnext: nerve train {folder}",
        config.train,
        config.test,
        n = config.resolution
    ));
    context.output.line("demo", &json!({"folder": args.folder, "config": config}));
    Ok(Outcome::Done)
}

/// Writes the set of pictures with labels.
fn labels(context: &Context, args: &DemoArgs) -> anyhow::Result<Outcome> {
    let demo = LabelDemo::default();
    let counter = Counter::new("painting pictures");
    demo.write(&args.folder, &|done, total| counter.set(done, total))?;
    drop(counter);
    let folder = args.folder.display();
    context.output.say(format_args!(
        "wrote {} training and {} held-out pictures of {}x{} with labels to {folder}\nnext: nerve seg train {folder} \
         --crop 128x192 --time 3m",
        demo.train, demo.val, demo.width, demo.height
    ));
    context.output.line("demo", &json!({"folder": args.folder, "config": demo}));
    Ok(Outcome::Done)
}

/// Writes the set of pictures with labels of several tasks.
fn tasks(context: &Context, args: &DemoArgs, images: usize) -> anyhow::Result<Outcome> {
    let plain = TaskDemo::default();
    let (height, width) = args.resolution.map_or((plain.height, plain.width), |side| (side, side));
    let demo = TaskDemo { height, width, train: images, val: images.div_ceil(4), ..plain };
    demo.check().map_err(usage)?;
    let counter = Counter::new("rendering pictures");
    demo.write(&args.folder, &|done, total| counter.set(done, total))?;
    drop(counter);
    let folder = args.folder.display();
    context.output.say(format_args!(
        "wrote {} training and {} held-out pictures of {}x{} with labels of six tasks to {folder}\nnext: nerve tasks \
         train {folder} --crop {}x{}",
        demo.train,
        demo.val,
        demo.width,
        demo.height,
        demo.height.max(32),
        demo.width.max(32)
    ));
    context.output.line("demo", &json!({"folder": args.folder, "config": demo}));
    Ok(Outcome::Done)
}
