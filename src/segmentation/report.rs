//! What was measured of a segmenter: files, and a table for people.

use crate::format;
use crate::session::Job;
use anyhow::Context as _;
use nerve_core::run::{RunFolder, write_atomic};
use nerve_data::labels::picture::write_rgb;
use nerve_data::labels::{LabelSet, matrix};
use nerve_vision::segmentation::{Evaluation, Inference, Trainer};
use serde_json::json;

/// What `eval.json` holds.
pub fn report(step: u64, split: &str, inference: &Inference, evaluation: &Evaluation) -> serde_json::Value {
    json!({
        "kind": Trainer::KIND, "step": step, "split": split, "images": evaluation.images, "inference": inference,
        "seconds": evaluation.elapsed.as_secs_f64(), "scores": evaluation.scores,
    })
}

/// Writes `eval.json`, and the confusion matrix beside it as CSV and as a picture.
pub fn save(
    run: &RunFolder,
    set: &LabelSet,
    report: &serde_json::Value,
    evaluation: &Evaluation,
) -> anyhow::Result<()> {
    let csv = evaluation.confusion.to_csv(&set.class_names());
    for (path, text) in
        [(run.eval_path(), serde_json::to_string_pretty(report)?), (run.path().join("confusion.csv"), csv)]
    {
        write_atomic(&path, text.as_bytes()).with_context(|| path.display().to_string())?;
    }
    let picture = matrix::confusion(evaluation.confusion.counts(), &set.classes);
    Ok(write_rgb(&run.path().join("confusion.png"), picture.view())?)
}

/// The figures for people: parts of 1 as percentages, a line a class.
pub fn table(evaluation: &Evaluation) -> String {
    let percent =
        |value: Option<f64>| value.map_or_else(|| "    -".to_owned(), |v| format!("{:5.1}", 100.0 * v));
    let scores = &evaluation.scores;
    let mut text = format!(
        "mIoU {} %  aAcc {} %  mAcc {} %  ({} in {})\n",
        percent(scores.mean_iou),
        percent(scores.all_accuracy),
        percent(scores.mean_accuracy),
        format::counted(evaluation.images, "picture"),
        format::time(evaluation.elapsed)
    );
    let width = scores.classes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(5);
    let boundaries = scores.boundary_tolerance.is_some();
    text += &format!(
        "{:width$}    IoU  prec.  recall   Dice{}",
        "class",
        if boundaries { "  outline" } else { "" }
    );
    for class in &scores.classes {
        let outline = if boundaries { format!("    {}", percent(class.boundary_f)) } else { String::new() };
        text += &format!(
            "\n{:width$}  {}  {}   {}  {}{outline}",
            class.name,
            percent(class.iou),
            percent(class.precision),
            percent(class.recall),
            percent(class.dice)
        );
    }
    text
}
