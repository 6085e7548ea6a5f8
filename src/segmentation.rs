//! A segmenter's run from the command line: its data, sinks, training, evaluation, summary.

use crate::context::Context;
use crate::format;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use crate::sinks::Listeners;
use crate::viewers::LABELS;
use anyhow::Context as _;
use nerve_core::device::{Device, keep_freed_memory};
use nerve_core::graph::GroupSummary;
use nerve_core::run::{DoneReason, Events, RunFolder, write_atomic};
use nerve_data::labels::picture::write_rgb;
use nerve_data::labels::{Class, LabelReport, LabelSet, inspect, matrix};
use nerve_vision::load::LoadReport;
use nerve_vision::segmentation::{
    Evaluation, Inference, SegConfig, Segmenter, SemanticSegmenter, Trainer, trained, trained_alone,
};
use serde_json::json;
use std::path::PathBuf;

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
    let train = set.split(&config.data.train_split)?;
    // That it is wanted is said before the training, not after it.
    let val = config.data.val_split.as_deref().map(|name| set.split(name)).transpose()?;
    let report = examined(set);
    remark(&report);
    context.output.line("labels", &report);
    for split in [Some(train), val.or(set.held_out())].into_iter().flatten() {
        if let Some(problem) = report.refusal(&split.name) {
            anyhow::bail!("{}: {}; {}", set.source.display(), problem.what, problem.remedy);
        }
    }
    let counted = report.splits.iter().find(|split| split.name == train.name);
    Ok(counted.map(|split| split.classes.iter().map(|class| class.pixels).collect()).unwrap_or_default())
}

/// Every mask of a set, looked at.
pub fn examined(set: &LabelSet) -> LabelReport {
    let counter = Counter::new("looking at labels");
    inspect(set, &|done, total| counter.set(done, total))
}

/// The checkpoint's segmenter and data, to answer with.
pub fn restored(context: &Context, run: &RunFolder) -> anyhow::Result<(SegConfig, LabelSet, Segmenter)> {
    let (config, checkpoint, device) = saved(context, run)?;
    let set = open(&config)?;
    let segmenter = trained(&config, &set, &checkpoint, device)?;
    Ok((config, set, segmenter))
}

/// The checkpoint's segmenter and its classes. The data is only asked for where an old checkpoint does not name them.
pub fn alone(context: &Context, run: &RunFolder) -> anyhow::Result<(Segmenter, Vec<Class>)> {
    let (config, checkpoint, device) = saved(context, run)?;
    keep_freed_memory();
    if let Some(found) = trained_alone(&config, &checkpoint, device)? {
        return Ok(found);
    }
    let (_, set, segmenter) = restored(context, run)?;
    Ok((segmenter, set.classes))
}

fn saved(context: &Context, run: &RunFolder) -> anyhow::Result<(SegConfig, PathBuf, Device)> {
    let checkpoint = run.checkpoint_path();
    anyhow::ensure!(
        checkpoint.exists(),
        "{}: there is no such file, the run was never saved; `nerve resume {}` trains it",
        checkpoint.display(),
        run.path().display()
    );
    let device = context.common.device.resolve()?;
    Ok((run.config()?, checkpoint, device))
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
        let step = self.trainer.step_count();
        let listeners = Listeners::new(self.context, &self.run, LABELS, step)?;
        self.announce();
        let (checkpoint, cancel) = (self.run.checkpoint_path(), self.context.interrupt.clean());
        let trained = self.trainer.run(&checkpoint, &self.counts, &listeners.events, cancel);
        let (reason, evaluation) = listeners.end(trained.map_err(Into::into), |events| {
            if evaluate { self.measure(events) } else { Ok(None) }
        })?;
        self.sum_up(&reason, evaluation.as_ref());
        Ok(if cancel.is_cancelled() { Outcome::Interrupted } else { Outcome::Done })
    }

    /// Measures the held-out pictures and writes down what was found.
    fn measure(&mut self, events: &Events) -> anyhow::Result<Option<Evaluation>> {
        let Some(split) = self.trainer.held_out() else {
            remark(
                "no picture is held out, so nothing is measured; list some in val.txt, or put them into a folder val",
            );
            return Ok(None);
        };
        remark("measuring the held-out pictures");
        let (inference, cancel) = (Inference::default(), self.context.interrupt.clean());
        let evaluation = self.trainer.measure(&inference, events, cancel)?;
        if let Some(evaluation) = &evaluation {
            let step = self.trainer.step_count();
            keep(
                &self.run,
                self.trainer.set(),
                &report(step, &split.name, &inference, evaluation),
                evaluation,
            )?;
        }
        Ok(evaluation)
    }

    fn announce(&self) {
        let train = &self.trainer.config().train;
        let length = match (train.steps, train.time) {
            (Some(steps), _) => format!("to step {steps}"),
            (None, time) => format!("for {}", format::time(time.unwrap_or_default())),
        };
        let (step, run) = (self.trainer.step_count(), self.run.path());
        let from = if step > 0 { format!(" from step {step}") } else { String::new() };
        let variables = self.trainer.segmenter().variables();
        let (parameters, trainable) = (variables.parameters(), variables.trainable_parameters());
        if let Some(report) = self.trainer.loaded() {
            remark(format_args!("weights   {}", loaded(report)));
        }
        let groups = self.trainer.groups();
        remark(format_args!("groups    {}", listed(&groups)));
        let of =
            if trainable < parameters { format!(" of {}", format::whole(parameters)) } else { String::new() };
        remark(format_args!(
            "training {}{of} parameters on {} classes{from} {length} in {}; Ctrl-C saves and stops",
            format::whole(trainable),
            self.trainer.segmenter().classes(),
            run.display()
        ));
        let fields = json!({
            "run": run, "kind": KIND, "step": step, "steps": train.steps,
            "seconds": train.time.map(|time| time.as_secs_f64()), "parameters": parameters,
            "trainable": trainable, "groups": groups,
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

/// Parameter groups with their sizes and learning rates.
fn listed(groups: &[GroupSummary]) -> String {
    let group = |group: &GroupSummary| {
        let rate = match (group.frozen, group.decay) {
            (true, _) => "frozen".to_owned(),
            (false, decay) if decay > 0.0 => format!("lr {}, decay {decay}", group.lr),
            (false, _) => format!("lr {}", group.lr),
        };
        format!("{} ({}): {rate}", group.name, format::whole(group.parameters))
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

/// What was found in a file of weights, and what of it is not needed.
fn loaded(report: &LoadReport) -> String {
    let some = |keys: &[String]| {
        let listed = keys.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        if keys.len() > 3 { format!("{listed} and {} more", keys.len() - 3) } else { listed }
    };
    let mut text = format!("{} variables from {}", report.loaded, report.source);
    for (what, keys) in [
        ("not needed", &report.ignored),
        ("resized", &report.resized),
        ("not in such files, so begun anew", &report.fresh),
    ] {
        if !keys.is_empty() {
            text += &format!("; {what}: {}", some(keys));
        }
    }
    text
}

/// What `eval.json` holds.
pub fn report(step: u64, split: &str, inference: &Inference, evaluation: &Evaluation) -> serde_json::Value {
    json!({
        "kind": KIND, "step": step, "split": split, "images": evaluation.images, "inference": inference,
        "seconds": evaluation.elapsed.as_secs_f64(), "scores": evaluation.scores,
    })
}

/// Writes `eval.json`, and the confusion matrix beside it as CSV and as a picture.
pub fn keep(
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
