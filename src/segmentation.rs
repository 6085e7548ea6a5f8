//! A segmenter's run from the command line: its data, sinks, training, evaluation, summary.

use crate::commands::Outcome;
use crate::context::Context;
use crate::format;
use crate::output::remark;
use crate::progress::Counter;
use crate::sinks;
use crate::viewers::LABELS;
use anyhow::Context as _;
use nerve_core::device::keep_freed_memory;
use nerve_core::run::{DoneReason, Event, RunFolder, truncate_after, write_atomic};
use nerve_data::labels::{LabelReport, LabelSet, inspect};
use nerve_vision::segmentation::{Evaluation, Inference, SegConfig, Segmenter, Segments, Trainer, trained};
use serde_json::json;
use std::path::Path;

/// In a run's `config.toml`.
pub const KIND: &str = "segmentation";

/// The pictures of a run: the first thing that a command on segmenters needs.
pub fn open(config: &SegConfig) -> anyhow::Result<LabelSet> {
    keep_freed_memory();
    let set = LabelSet::open(&config.data.labels)?;
    for warning in &set.warnings {
        remark(format_args!("warning: {warning}"));
    }
    Ok(set)
}

/// What is wrong with the training split is said before anything is learnt; pixels of each class.
pub fn look(context: &Context, set: &LabelSet, config: &SegConfig) -> anyhow::Result<Vec<u64>> {
    set.split(&config.data.train_split)?;
    let report = examined(set);
    remark(&report);
    context.output.line("labels", &report);
    let mut counts = Vec::new();
    for split in &report.splits {
        anyhow::ensure!(
            split.damaged.is_empty(),
            "{}, split {}: {} pairs cannot be used, such as {}: mend or remove them",
            set.source.display(),
            split.name,
            split.damaged.len(),
            split.damaged.first().map(|[mask, why]| format!("{mask} ({why})")).unwrap_or_default()
        );
        if split.name == config.data.train_split {
            counts = split.classes.iter().map(|class| class.pixels).collect();
        }
    }
    Ok(counts)
}

/// Every mask of a set, looked at.
pub fn examined(set: &LabelSet) -> LabelReport {
    let counter = Counter::new("looking at labels");
    inspect(set, &|done, total| counter.set(done, total))
}

/// The checkpoint's segmenter and data, to answer with.
pub fn restored(context: &Context, run: &RunFolder) -> anyhow::Result<(SegConfig, LabelSet, Segmenter)> {
    let checkpoint = run.checkpoint_path();
    anyhow::ensure!(
        checkpoint.exists(),
        "{}: there is no such file, the run was never saved; `nerve resume {}` trains it",
        checkpoint.display(),
        run.path().display()
    );
    context.common.device.resolve()?;
    let config: SegConfig = run.config()?;
    let set = open(&config)?;
    let segmenter = trained(&config, set.classes.len(), &checkpoint)?;
    Ok((config, set, segmenter))
}

/// A trainer and the folder of its run.
pub struct Session<'a> {
    context: &'a Context,
    run: RunFolder,
    trainer: Trainer,
    counts: Vec<u64>,
}

impl<'a> Session<'a> {
    /// Puts them together; `counts` are what the trainer was made with.
    pub fn new(context: &'a Context, run: RunFolder, trainer: Trainer, counts: Vec<u64>) -> Self {
        Self { context, run, trainer, counts }
    }

    /// Cuts the log back to where the trainer is, trains to the end, evaluates if asked to, and sums up.
    pub fn train(mut self, evaluate: bool) -> anyhow::Result<Outcome> {
        let metrics = self.run.metrics_path();
        truncate_after(&metrics, self.trainer.step_count()).with_context(|| metrics.display().to_string())?;
        let (events, bar) = sinks::listen(self.context, &self.run, LABELS)?;
        self.announce();
        let (checkpoint, cancel) = (self.run.checkpoint_path(), self.context.interrupt.clean());
        let trained = self.trainer.run(&checkpoint, &self.counts, &events, cancel);
        bar.finish_and_clear();
        let result = trained.map_err(anyhow::Error::from).and_then(|reason| {
            let evaluation = match reason {
                DoneReason::Finished if evaluate => {
                    remark("measuring the held-out pictures");
                    self.trainer.measure(&Inference::default(), &events, cancel)?
                }
                _ => None,
            };
            Ok((reason, evaluation))
        });
        let reason = match &result {
            Ok((reason, _)) => reason.clone(),
            Err(error) => DoneReason::Failed(error.to_string()),
        };
        events.publish(Event::Done { reason });
        events.close(sinks::CLOSING);
        let (reason, evaluation) = result?;
        if let Some(evaluation) = &evaluation {
            let split = self.trainer.held_out().map(|split| split.name).unwrap_or_default();
            let report = report(self.trainer.step_count(), &split, &Inference::default(), evaluation);
            write_atomic(&self.run.eval_path(), serde_json::to_string_pretty(&report)?.as_bytes())?;
            keep_confusion(self.run.path(), self.trainer.set(), evaluation)?;
        }
        self.sum_up(&reason, evaluation.as_ref());
        let stopped = self.context.interrupt.clean().is_cancelled();
        Ok(if stopped { Outcome::Interrupted } else { Outcome::Done })
    }

    fn announce(&self) {
        let train = &self.trainer.config().train;
        let length = match (train.steps, train.time) {
            (Some(steps), _) => format!("to step {steps}"),
            (None, time) => format!("for {}", format::time(time.unwrap_or_default())),
        };
        let (step, run) = (self.trainer.step_count(), self.run.path());
        let from = if step > 0 { format!(" from step {step}") } else { String::new() };
        let parameters = self.trainer.segmenter().variables().parameters();
        remark(format_args!(
            "training {} parameters on {} classes{from} {length} in {}; Ctrl-C saves and stops",
            format::whole(parameters),
            self.trainer.segmenter().classes(),
            run.display()
        ));
        let fields = json!({
            "run": run, "kind": KIND, "step": step, "steps": train.steps,
            "seconds": train.time.map(|time| time.as_secs_f64()), "parameters": parameters,
        });
        self.context.output.line("start", &fields);
    }

    fn sum_up(&self, reason: &DoneReason, evaluation: Option<&Evaluation>) {
        let (output, run) = (self.context.output, self.run.path());
        let (step, elapsed) = (self.trainer.step_count(), self.trainer.elapsed());
        let finished = *reason == DoneReason::Finished;
        output.say(format_args!(
            "{}   step {step}, {} pictures, after {}",
            if finished { "trained" } else { "stopped" },
            format::whole(self.trainer.images() as usize),
            format::time(elapsed)
        ));
        if let Some(evaluation) = evaluation {
            output.say(table(evaluation));
        }
        output.say(format_args!("run       {}", run.display()));
        output.say(format_args!(
            "next      {}",
            if finished {
                format!("nerve seg predict {} PICTURES    labels pictures", run.display())
            } else {
                format!("nerve resume {}    goes on", run.display())
            }
        ));
        let fields = json!({
            "run": run, "reason": if finished { "finished" } else { "cancelled" }, "step": step,
            "seconds": elapsed.as_secs_f64(), "scores": evaluation.map(|e| &e.scores),
        });
        output.line("summary", &fields);
    }
}

/// What `eval.json` holds.
pub fn report(step: u64, split: &str, inference: &Inference, evaluation: &Evaluation) -> serde_json::Value {
    json!({
        "kind": KIND, "step": step, "split": split, "images": evaluation.images, "inference": inference,
        "seconds": evaluation.elapsed.as_secs_f64(), "scores": evaluation.scores,
    })
}

/// Writes the confusion matrix as CSV beside `eval.json`.
pub fn keep_confusion(folder: &Path, set: &LabelSet, evaluation: &Evaluation) -> anyhow::Result<()> {
    let path = folder.join("confusion.csv");
    write_atomic(&path, evaluation.confusion.to_csv(&set.class_names()).as_bytes())
        .with_context(|| path.display().to_string())
}

/// The figures for people: parts of 1 as percentages, a line a class.
pub fn table(evaluation: &Evaluation) -> String {
    let percent =
        |value: Option<f64>| value.map_or_else(|| "    -".to_owned(), |v| format!("{:5.1}", 100.0 * v));
    let scores = &evaluation.scores;
    let mut text = format!(
        "mIoU {} %  aAcc {} %  mAcc {} %  ({} pictures in {})\n",
        percent(scores.mean_iou),
        percent(scores.all_accuracy),
        percent(scores.mean_accuracy),
        evaluation.images,
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
