//! Models of several dense tasks from the command line: their data, and what their runs need that others do not.

use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::session::{Job, explain, in_config};
use crate::viewers::LABELS;
use crate::{devices, format};
use anyhow::Context as _;
use nerve_core::device::{DeviceKind, keep_freed_memory};
use nerve_core::run::{Events, RunConfig, RunFolder, write_atomic};
use nerve_core::settings::SettingError;
use nerve_data::scene::Split;
use nerve_data::tasks::TaskSet;
use nerve_vision::tasks::{Evaluation, MultiTask, TasksConfig, Trainer, evaluate, reached, restored};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// The images of a run: the first thing that a command on such models needs.
pub fn open(config: &TasksConfig) -> anyhow::Result<TaskSet> {
    keep_freed_memory();
    let set = config.data.open()?;
    set.warnings.iter().for_each(|warning| remark(format_args!("warning: {warning}")));
    // That it is wanted is said before the training, not after it.
    set.split(&config.data.train_split)?;
    config.data.val_split.as_deref().map(|name| set.split(name)).transpose()?;
    Ok(set)
}

/// The model of a run's checkpoint, and its configuration.
pub fn alone(context: &Context, run: &RunFolder) -> anyhow::Result<(TasksConfig, MultiTask)> {
    let checkpoint = run.checkpoint_path();
    anyhow::ensure!(
        checkpoint.exists(),
        "{}: no such file: the run has no checkpoint yet; `nerve resume {}` trains it",
        checkpoint.display(),
        run.path().display()
    );
    let device = devices::for_segmenter(context)?;
    keep_freed_memory();
    let config: TasksConfig = run.config()?;
    config.validate().map_err(|error| in_config(run, &error))?;
    let model = restored(&config, &checkpoint, device)?;
    Ok((config, model))
}

/// The same, and the data that it was trained on.
pub fn with_data(context: &Context, run: &RunFolder) -> anyhow::Result<(TasksConfig, TaskSet, MultiTask)> {
    let (config, model) = alone(context, run)?;
    let set = open(&config).map_err(|error| explain::<Trainer>(error, &config, run))?;
    Ok((config, set, model))
}

/// `nerve eval`: on a split of its data, or on what is held out.
pub fn eval(context: &Context, folder: &RunFolder, split: Option<Split>) -> anyhow::Result<Outcome> {
    let (config, set, model) = with_data(context, folder)?;
    let split = match split.map(Split::name).or(config.data.val_split.as_deref()) {
        Some(name) => set.split(name)?,
        None => match set.held_out() {
            Some(split) => split,
            None => set.split("val")?,
        },
    };
    let split = config.data.limited(split);
    let (cancel, counter) = (context.interrupt.clean(), Counter::new("evaluating images"));
    let total = split.images.len();
    let mut seen = |place: usize, _: &_, _: &[_]| counter.set(place + 1, total);
    let measured = evaluate(&model.served()?, &set, &split, cancel, &mut seen)?;
    drop(counter);
    let Some(measured) = measured else { return Ok(Outcome::Interrupted) };
    let (step, elapsed) = reached(&folder.checkpoint_path())?;
    let report = report(&model, step, elapsed.as_secs_f64(), &split.name, &measured);
    save(folder, &report)?;
    context.output.say(table(&measured));
    context.output.say(format_args!("results   {}", folder.eval_path().display()));
    context.output.line("eval", &report);
    Ok(Outcome::Done)
}

/// What `eval.json` holds.
fn report(model: &MultiTask, step: u64, seconds: f64, split: &str, evaluation: &Evaluation) -> Value {
    let [method, decoders] = model.trained();
    json!({
        "kind": Trainer::KIND, "step": step, "split": split, "images": evaluation.images,
        "method": model.config().method, "backbone": model.config().backbone,
        "parameters": {"method": method, "decoders": decoders}, "training_seconds": seconds,
        "seconds": evaluation.elapsed.as_secs_f64(), "scores": evaluation.scores,
    })
}

fn save(run: &RunFolder, report: &Value) -> anyhow::Result<()> {
    let (path, text) = (run.eval_path(), serde_json::to_string_pretty(report)?);
    write_atomic(&path, text.as_bytes()).with_context(|| path.display().to_string())
}

/// The figures for people, a line a task.
fn table(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "scores    {} in {}",
        format::counted(evaluation.images, "picture"),
        format::time(evaluation.elapsed)
    );
    for score in &evaluation.scores {
        let value = score.value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
        let better = if score.lower_is_better { "  (less is better)" } else { "" };
        text += &format!("\n{:<9} {:<10} {value:>8}{better}", score.task, score.metric);
    }
    text
}

impl Job for Trainer {
    const KIND: &'static str = nerve_vision::tasks::KIND;
    const LAYOUT: &'static str = LABELS;
    type Config = TasksConfig;
    type Evaluation = Evaluation;

    fn run_settings(config: &mut TasksConfig) -> &mut RunConfig {
        &mut config.train.run
    }

    fn check(config: &TasksConfig) -> Result<(), SettingError> {
        config.validate()
    }

    fn data(config: &TasksConfig) -> Option<(&'static str, &Path)> {
        Some(("labels", &config.data.labels))
    }

    fn open(context: &Context, config: &TasksConfig, checkpoint: Option<&Path>) -> anyhow::Result<Self> {
        let device = devices::for_segmenter(context)?;
        let set = Arc::new(open(config)?);
        Ok(match checkpoint {
            Some(checkpoint) => Self::restored(config.clone(), set, checkpoint, device)?,
            None => Self::new(config.clone(), set, device)?,
        })
    }

    fn device(&self) -> DeviceKind {
        Self::device(self)
    }

    fn measure(
        &mut self,
        context: &Context,
        run: &RunFolder,
        events: &Events,
    ) -> anyhow::Result<Option<Evaluation>> {
        let Some(split) = self.held_out() else {
            remark("no image is held out, so nothing is evaluated; add a split val, or give --val-split");
            return Ok(None);
        };
        remark("evaluating the held-out images");
        let measured = self.measure(events, context.interrupt.clean())?;
        if let Some(evaluation) = &measured {
            let seconds = self.elapsed().as_secs_f64();
            let report = report(self.model(), self.step_count(), seconds, &split.name, evaluation);
            save(run, &report)?;
            context.output.line("eval", &report);
        }
        Ok(measured)
    }

    fn description(&self) -> String {
        let [method, decoders] = self.model().trained();
        let tasks: Vec<_> = self.model().tasks().iter().map(|task| task.task.name()).collect();
        format!(
            "{} ({} parameters, {} of decoders) beside a frozen {} on {}",
            self.config().model.method,
            format::whole(method),
            format::whole(decoders),
            self.config().model.backbone,
            tasks.join(", ")
        )
    }

    fn remarks(&self) -> Vec<String> {
        let model = self.model();
        let weights = model
            .loaded()
            .map(|report| format!("weights   {} variables from {}", report.loaded, report.source));
        let none = "warning: without --weights the frozen backbone is random: give it pretrained weights";
        let plain = "remark    this backbone has one width: Polyhistor-Lite's scaling kernels fall away";
        let widths: Vec<usize> = model.widths();
        let name = self.config().model.method.to_string();
        let lite = name == "polyhistor-lite" && widths.iter().all(|width| *width == widths[0]);
        [Some(weights.unwrap_or_else(|| none.to_owned())), lite.then(|| plain.to_owned())]
            .into_iter()
            .flatten()
            .collect()
    }

    fn sizes(&self) -> Map<String, Value> {
        let [method, decoders] = self.model().trained();
        [
            ("parameters".to_owned(), json!(self.model().variables().parameters())),
            ("trainable".to_owned(), json!({"method": method, "decoders": decoders})),
            ("groups".to_owned(), json!(self.groups())),
        ]
        .into_iter()
        .collect()
    }

    fn taken(&self) -> String {
        format!("step {}, {},", self.step_count(), format::counted(self.images() as usize, "picture"))
    }

    fn results(_: &RunFolder, evaluation: &Evaluation) -> String {
        table(evaluation)
    }

    fn scores(evaluation: Option<&Evaluation>) -> Map<String, Value> {
        [("scores".to_owned(), json!(evaluation.map(|e| &e.scores)))].into_iter().collect()
    }

    fn next(&self, run: &Path, _: bool) -> String {
        format!("nerve tasks predict {} PICTURE    to see what it says of pictures", run.display())
    }
}

/// What a set holds; whether training on it can give a useful result.
pub fn inspect(context: &Context, set: &TaskSet) -> Outcome {
    let counter = Counter::new("checking labels");
    let report = nerve_data::tasks::inspect(set, &|done, total| counter.set(done, total));
    drop(counter);
    context.output.say(format_args!("{} ({})\n{report}", set.name, set.source.display()));
    context.output.line("inspect", &report);
    let error = nerve_data::inspect::Severity::Error;
    if report.problems.iter().any(|problem| problem.severity == error) {
        Outcome::Failed
    } else {
        Outcome::Done
    }
}

/// Of a mistake in the settings of a new run.
pub fn check(config: &TasksConfig) -> anyhow::Result<()> {
    Ok(config.validate().map_err(usage)?)
}
