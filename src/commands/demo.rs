//! `nerve demo`.

use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::progress::Counter;
use nerve_data::demo::labels::LabelDemo;
use nerve_data::demo::{self, DemoConfig, DemoError};
use serde_json::json;
use std::path::PathBuf;

/// Flags of `nerve demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder to write to: new, empty, or an earlier demo scene
    #[arg(value_name = "OUT")]
    folder: PathBuf,
    /// Width and height of the images in pixels
    #[arg(long, value_name = "N", default_value_t = DemoConfig::default().resolution)]
    resolution: usize,
    /// Number of training views
    #[arg(long, value_name = "N", default_value_t = DemoConfig::default().train)]
    train: usize,
    /// Write images with labels instead, for `nerve seg train`
    #[arg(long, conflicts_with_all = ["resolution", "train", "test"])]
    labels: bool,
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
    let config = DemoConfig {
        resolution: args.resolution,
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
