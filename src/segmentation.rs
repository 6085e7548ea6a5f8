//! Segmenters from the command line: their data, and what their runs need that others do not.

mod report;

use crate::context::Context;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::session::{Job, explain, in_config};
use crate::viewers::LABELS;
use crate::{devices, format};
use nerve_core::device::{Device, DeviceKind, keep_freed_memory};
use nerve_core::graph::GroupSummary;
use nerve_core::run::{Events, RunConfig, RunFolder};
use nerve_core::settings::SettingError;
use nerve_data::labels::{Class, LabelReport, LabelSet, inspect};
use nerve_data::scene::Split;
use nerve_vision::load::LoadReport;
use nerve_vision::segmentation::{
    Evaluation, Inference, SegConfig, Segmenter, SemanticSegmenter, Trainer, evaluate, reached, trained,
    trained_alone,
};
use report::{report, save, table};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The pictures of a run: the first thing that a command on segmenters needs.
pub fn open(config: &SegConfig) -> anyhow::Result<LabelSet> {
    keep_freed_memory();
    let set = LabelSet::open(&config.data.labels)?;
    set.warnings.iter().for_each(|warning| remark(format_args!("warning: {warning}")));
    Ok(set)
}

/// What is wrong with the training split is said before anything is learned; pixels of each class.
pub fn look(context: &Context, set: &LabelSet, config: &SegConfig) -> anyhow::Result<Vec<u64>> {
    let train = set.split(&config.data.train_split)?;
    // That it is wanted is said before the training, not after it.
    let val = config.data.val_split.as_deref().map(|name| set.split(name)).transpose()?;
    let report = examined(set);
    // Its warnings were printed when the set was opened.
    remark(LabelReport { warnings: Vec::new(), ..report.clone() });
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
    let counter = Counter::new("checking labels");
    inspect(set, &|done, total| counter.set(done, total))
}

/// The checkpoint's segmenter and data, to answer with.
pub fn restored(context: &Context, run: &RunFolder) -> anyhow::Result<(SegConfig, LabelSet, Segmenter)> {
    let (config, checkpoint, device) = saved(context, run)?;
    let set = open(&config).map_err(|error| explain::<Trainer>(error, &config, run))?;
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
        "{}: no such file: the run has no checkpoint yet; `nerve resume {}` trains it",
        checkpoint.display(),
        run.path().display()
    );
    let device = devices::for_segmenter(context)?;
    let config: SegConfig = run.config()?;
    config.validate().map_err(|error| in_config(run, &error))?;
    Ok((config, checkpoint, device))
}

/// `nerve eval`: on a split of its data, or on what is held out.
pub fn eval(
    context: &Context,
    folder: &RunFolder,
    split: Option<Split>,
    inference: &Inference,
) -> anyhow::Result<Outcome> {
    inference.validate().map_err(usage)?;
    let (config, set, segmenter) = restored(context, folder)?;
    let split = match split.map(Split::name).or(config.data.val_split.as_deref()) {
        Some(name) => set.split(name)?,
        None => match set.held_out() {
            Some(split) => split,
            None => set.split("val")?,
        },
    };
    let split = &config.data.limited(split);
    let (cancel, counter) = (context.interrupt.clean(), Counter::new("evaluating images"));
    let total = split.pairs.len();
    let mut seen = |place: usize, _: &_, _: &_| counter.set(place + 1, total);
    let measured = evaluate(&segmenter, &set, split, inference, true, cancel, &mut seen)?;
    drop(counter);
    let Some(measured) = measured else { return Ok(Outcome::Interrupted) };
    let (step, _) = reached(&folder.checkpoint_path())?;
    let report = report(step, &split.name, inference, &measured);
    save(folder, &set, &report, &measured)?;
    context.output.say(table(&measured));
    context
        .output
        .say(format_args!("results   {}: eval.json, confusion.csv, confusion.png", folder.path().display()));
    context.output.line("eval", &report);
    Ok(Outcome::Done)
}

impl Job for Trainer {
    const KIND: &'static str = nerve_vision::segmentation::KIND;
    const LAYOUT: &'static str = LABELS;
    type Config = SegConfig;
    type Evaluation = Evaluation;

    fn run_settings(config: &mut SegConfig) -> &mut RunConfig {
        &mut config.train.run
    }

    fn check(config: &SegConfig) -> Result<(), SettingError> {
        config.validate()
    }

    fn data(config: &SegConfig) -> Option<(&'static str, &Path)> {
        Some(("labels", &config.data.labels))
    }

    fn open(context: &Context, config: &SegConfig, checkpoint: Option<&Path>) -> anyhow::Result<Self> {
        let device = devices::for_segmenter(context)?;
        let set = open(config)?;
        // That it is wanted is said before the training, not after it.
        config.data.val_split.as_deref().map(|name| set.split(name)).transpose()?;
        match checkpoint {
            Some(checkpoint) => Ok(Self::restored(config.clone(), Arc::new(set), checkpoint, device)?),
            None => {
                let counts = look(context, &set, config)?;
                Ok(Self::new(config.clone(), Arc::new(set), &counts, device)?)
            }
        }
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
            remark(
                "no image is held out, so nothing is evaluated; list some in val.txt, or put them into a folder val",
            );
            return Ok(None);
        };
        remark("evaluating the held-out images");
        let inference = Inference::default();
        let measured = self.measure(&inference, events, context.interrupt.clean())?;
        if let Some(evaluation) = &measured {
            let report = report(self.step_count(), &split.name, &inference, evaluation);
            save(run, self.set(), &report, evaluation)?;
            context.output.line("eval", &report);
        }
        Ok(measured)
    }

    fn description(&self) -> String {
        let variables = self.segmenter().variables();
        let (all, trainable) = (variables.parameters(), variables.trainable_parameters());
        let of = if trainable < all { format!(" of {}", format::whole(all)) } else { String::new() };
        format!("{}{of} parameters on {} classes", format::whole(trainable), self.segmenter().classes())
    }

    fn remarks(&self) -> Vec<String> {
        let weights = self.loaded().map(|report| format!("weights   {}", loaded(report)));
        weights.into_iter().chain([format!("groups    {}", listed(&self.groups()))]).collect()
    }

    fn sizes(&self) -> Map<String, Value> {
        let variables = self.segmenter().variables();
        [
            ("parameters".to_owned(), json!(variables.parameters())),
            ("trainable".to_owned(), json!(variables.trainable_parameters())),
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
        format!("nerve seg predict {} PICTURE    to label pictures", run.display())
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
        ("unused", &report.ignored),
        ("resized", &report.resized),
        ("not in such files, so initialized", &report.fresh),
    ] {
        if !keys.is_empty() {
            text += &format!("; {what}: {}", some(keys));
        }
    }
    text
}
