//! `nerve seg predict`.

use super::words::{self, Asked, WordArgs};
use crate::context::Context;
use crate::kind::Kind;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::{devices, format};
use anyhow::Context as _;
use nerve_core::run::RunFolder;
use nerve_data::labels::{Class, picture, rgb};
use nerve_data::write::write_atomically;
use nerve_vision::load::Access;
use nerve_vision::segmentation::{Inference, Prediction, Published, SemanticSegmenter};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Kinds of pictures that are taken from a folder.
const KINDS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "gif"];

/// Flags of `nerve seg predict`.
#[derive(Debug, clap::Args)]
pub struct PredictArgs {
    /// A run's folder, or the folder or Hugging Face hub name of a published segmenter
    #[arg(value_name = "SEGMENTER")]
    segmenter: String,
    /// Pictures, or folders of pictures
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Inference")]
    inference: Inference,
    #[command(flatten, next_help_heading = "Words")]
    words: WordArgs,
}

/// Labels pictures: for each a PNG of labels, a colored overlay, and its share of every class.
pub fn run(context: &Context, args: &PredictArgs) -> anyhow::Result<Outcome> {
    context.common.without_viewer("seg predict")?;
    args.inference.validate().map_err(usage)?;
    let pictures = found(&args.pictures)?;
    let (segmenter, classes, home) = match &args.words.classes {
        Some(_) => words::open(context, &args.segmenter, &args.words)?,
        None => {
            args.words.check()?;
            let (segmenter, classes, home) = open(context, &args.segmenter)?;
            (Asked::Classes(segmenter), classes, home)
        }
    };
    let out = context.common.out.clone().unwrap_or(home);
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let counter = Counter::new("labeling pictures");
    let (mut areas, mut failed) = (Vec::new(), 0);
    for (i, path) in pictures.iter().enumerate() {
        if context.interrupt.clean().is_cancelled() {
            break;
        }
        let labelled = rgb(path).map_err(anyhow::Error::from).and_then(|image| {
            let found = segmenter.predict(image.view(), &args.inference);
            let (found, likely) = found.with_context(|| path.display().to_string())?;
            if let (Some(likely), Asked::Words(_, words, _)) = (likely, &segmenter) {
                words::write(&out, &stem(path), words, &likely)?;
            }
            Ok((image, found))
        });
        let (image, prediction) = match labelled {
            Ok(both) => both,
            // One that cannot be read does not keep the others from being labeled.
            Err(error) if pictures.len() > 1 => {
                remark(format_args!("warning: {error:#}; skipped"));
                failed += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let stem = stem(path);
        picture::write_labels(&out.join(format!("{stem}_labels.png")), prediction.labels.view())?;
        let overlay = picture::overlay(image.view(), prediction.labels.view(), &classes);
        let overlay = picture::with_legend(overlay.view(), prediction.labels.view(), &classes);
        picture::write_rgb(&out.join(format!("{stem}_overlay.png")), overlay.view())?;
        let area = area(path, &prediction, &classes);
        context.output.line("picture", &area);
        areas.push(area);
        counter.set(i + 1, pictures.len());
    }
    drop(counter);
    anyhow::ensure!(failed < pictures.len(), "none of the {failed} pictures could be read");
    write_atomically(&out.join("legend.svg"), picture::legend(&classes).as_bytes())?;
    let text = serde_json::to_string_pretty(&areas)?;
    write_atomically(&out.join("areas.json"), text.as_bytes())?;
    context.output.say(format_args!(
        "labeled   {} of {}\nresults   {}: *_labels.png (class indices), *_overlay.png, legend.svg, areas.json",
        areas.len(),
        format::counted(pictures.len(), "picture"),
        out.display()
    ));
    Ok(match areas.len() + failed < pictures.len() {
        true => Outcome::Interrupted,
        false if failed > 0 => Outcome::Failed,
        false => Outcome::Done,
    })
}

/// The name that a picture's results begin with.
fn stem(path: &Path) -> Cow<'_, str> {
    path.file_stem().unwrap_or_default().to_string_lossy()
}

/// The segmenter, its classes, and where its predictions go if nothing is said.
fn open(context: &Context, given: &str) -> anyhow::Result<(Box<dyn SemanticSegmenter>, Vec<Class>, PathBuf)> {
    let path = Path::new(given);
    // Of a run's file the error names the run.
    let in_run = path.is_file() && path.with_file_name("config.toml").exists();
    if !in_run && !path.join("config.toml").exists() {
        let device = devices::for_segmenter(context)?;
        let published = Published::open(given, Access::Online, device)?;
        let classes = published.names().to_vec();
        return Ok((Box::new(published), classes, PathBuf::from("predictions")));
    }
    let run = RunFolder::open(path)?;
    let (segmenter, classes) = Kind::of(&run)?.segmenter(context, &run)?;
    Ok((segmenter, classes, run.path().join("predictions")))
}

/// Each class's share of a picture.
fn area(path: &Path, prediction: &Prediction, classes: &[Class]) -> serde_json::Value {
    let mut counts = vec![0u64; classes.len()];
    for label in &prediction.labels {
        if let Some(count) = counts.get_mut(usize::from(*label)) {
            *count += 1;
        }
    }
    let total = prediction.labels.len().max(1) as f64;
    let shares: serde_json::Map<_, _> = classes
        .iter()
        .zip(&counts)
        .map(|(class, count)| (class.name.clone(), json!({"pixels": count, "share": *count as f64 / total})))
        .collect();
    let confidence = prediction.confidence.iter().map(|c| f64::from(*c)).sum::<f64>() / total;
    json!({"picture": path, "classes": shares, "confidence": confidence})
}

/// Files as they are, folders by their pictures, in order of names.
pub fn found(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in given {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
        let mut files = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| path.display().to_string())?.path();
            let kind = file.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
            if KINDS.contains(&kind.as_str()) {
                files.push(file);
            }
        }
        files.sort();
        anyhow::ensure!(
            !files.is_empty(),
            "{}: no pictures in this folder ({})",
            path.display(),
            KINDS.join(", ")
        );
        all.extend(files);
    }
    let mut names: BTreeMap<Cow<'_, str>, &Path> = BTreeMap::new();
    for path in &all {
        if let Some(other) = names.insert(stem(path), path) {
            anyhow::bail!(
                "{} and {}: two pictures with the same name, after which results are named; label them in two runs, each with its own --out",
                other.display(),
                path.display()
            );
        }
    }
    Ok(all)
}
