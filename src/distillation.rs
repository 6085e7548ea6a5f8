//! Layers of trained runs, rebuilt: the new run, the report of layers and of the whole.

use crate::context::Context;
use crate::format;
use crate::given::Given;
use crate::nerf;
use crate::outcome::{Outcome, usage};
use crate::progress::Counter;
use crate::segmentation;
use crate::session::{Job, Session};
use nerve_core::device::DeviceKind;
use nerve_core::distill::{DistillOptions, LayerReport};
use nerve_core::run::{Events, Existing, RunFolder, write_atomic};
use nerve_nerf::eval::{EvalOptions, Report, evaluate};
use nerve_nerf::{Model, NerfConfig, NerfError};
use nerve_vision::backbones::mlps::Blocks;
use nerve_vision::segmentation::{self as vision, Inference, SegConfig, SegmentationError, Segmenter};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Flags of `nerve distill`.
#[derive(Debug, clap::Args)]
pub struct DistillArgs {
    /// The run's folder
    pub run: PathBuf,
    /// Layers to replace: of a field by name, such as trunk.1,trunk.3,trunk.6; of a segmenter blocks of its backbone, such as
    /// 0,2,4-6; or all that can be
    #[arg(long, value_name = "LIST")]
    pub layers: String,
    #[command(flatten)]
    pub options: DistillOptions,
    /// Replace the run in --out
    #[arg(long)]
    pub overwrite: bool,
}

/// The whole, before and after.
#[derive(Debug, Serialize)]
struct Whole {
    /// `PSNR` or `mIoU`.
    metric: &'static str,
    /// On the held-out data.
    quality: [f64; 2],
    parameters: [usize; 2],
    /// Seconds a held-out picture.
    seconds_per_picture: [f64; 2],
}

/// `distill.json`.
#[derive(Debug, Serialize)]
struct Distilled<'a> {
    options: &'a DistillOptions,
    layers: &'a [LayerReport],
    /// Seconds that the distillation took, evaluations and training left out.
    seconds: f64,
    whole: Whole,
}

impl Distilled<'_> {
    fn table(&self) -> String {
        let mut text = format!(
            "{:<12} {:>9} {:>23} {:>23} {:>8}\n",
            "layer", "error", "parameters", "multiplications", "seconds"
        );
        let arrow = |[from, to]: [usize; 2]| format!("{} > {}", format::whole(from), format::whole(to));
        for layer in self.layers {
            let error = layer.error.map_or_else(|| "-".to_owned(), |error| format!("{:.2} %", 100.0 * error));
            let (parameters, products) = (arrow(layer.parameters), arrow(layer.products));
            let _ = writeln!(
                text,
                "{:<12} {error:>9} {parameters:>23} {products:>23} {:>8.1}",
                layer.name, layer.seconds
            );
        }
        let Whole { metric, quality, parameters, seconds_per_picture } = &self.whole;
        let products = |i: usize| self.layers.iter().map(|layer| layer.products[i]).sum::<usize>();
        let _ = write!(
            text,
            "{:<12} {:>9} {:>23} {:>23} {:>8.1}\nquality      {metric} {:.2} > {:.2}\nspeed        {:.3} > {:.3} s a picture",
            "all",
            "",
            arrow(*parameters),
            arrow([products(0), products(1)]),
            self.seconds,
            quality[0],
            quality[1],
            seconds_per_picture[0],
            seconds_per_picture[1]
        );
        text
    }
}

/// Where the new run goes, checked before anything that takes long.
fn place(context: &Context, run: &RunFolder, args: &DistillArgs) -> anyhow::Result<(PathBuf, Existing)> {
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Keep };
    let Some(out) = &context.common.out else {
        anyhow::ensure!(!args.overwrite, usage("--overwrite replaces the run in --out: give --out, too"));
        let name = run.path().file_name().map_or("run".into(), |name| name.to_string_lossy().into_owned());
        return Ok((
            RunFolder::next_free("runs", &format!("{name}-{}", args.options.form.name()))?,
            existing,
        ));
    };
    RunFolder::check(out, existing)?;
    Ok((out.clone(), existing))
}

/// Writes the new run and its report, and trains it on if that is asked for.
#[allow(clippy::too_many_arguments)]
fn finish<J: Job>(
    context: &Context,
    (folder, existing): (PathBuf, Existing),
    config: &J::Config,
    mut job: J,
    layers: &[LayerReport],
    (seconds, whole): (f64, Whole),
    args: &DistillArgs,
) -> anyhow::Result<Outcome> {
    let mut config = config.clone();
    J::run_settings(&mut config).no_eval = false;
    let run = RunFolder::create(folder, J::KIND, DeviceKind::Cpu, &config, existing)?;
    job.save(&run.checkpoint_path())?;
    let report = Distilled { options: &args.options, layers, seconds, whole };
    let file = run.path().join("distill.json");
    write_atomic(&file, serde_json::to_string_pretty(&report)?.as_bytes())?;
    context.output.say(report.table());
    context.output.say(format_args!("run          {}: distill.json", run.path().display()));
    context.output.line("distill", &report);
    if args.options.fine_tune == 0 {
        return Ok(Outcome::Done);
    }
    Session::new(context, run, job).train(true)
}

/// The run goes on for so many steps behind those that it has.
fn lengthen<J: Job>(config: &mut J::Config, steps: u64, more: u64) {
    if more > 0 {
        let run = J::run_settings(config);
        (run.steps, run.time) = (Some(steps + more), None);
    }
}

/// Of a field.
pub fn field(context: &Context, run: &RunFolder, args: &DistillArgs) -> anyhow::Result<Outcome> {
    let config: NerfConfig = run.config()?;
    let layers: Vec<String> = match &*args.layers {
        "all" => apart(nerve_nerf::distill::layers(&config)),
        list => list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    };
    nerve_nerf::distill::configured(&config, &layers, &args.options).map_err(usage)?;
    let place = place(context, run, args)?;
    let given = Given::Run(run.clone());
    let mut model = given.model(context, false)?;
    let mut config = model.config().clone();
    let scene = Arc::new(nerf::scene_of(context, &mut model, &given, None)?);
    lengthen::<nerve_nerf::Trainer>(&mut config, model.step_count(), args.options.fine_tune);
    let cancel = context.interrupt.clean();
    let measured = |model: &mut Model| -> Result<Option<Report>, NerfError> {
        let views = scene.splits.eval();
        let events = Events::quiet();
        let options = EvalOptions { renders: None, lpips: None, events: &events, cancel };
        let counter = Counter::new("evaluating views");
        let mut done = 0;
        evaluate(model, &scene, views, &options, &mut |_| {
            done += 1;
            counter.set(done, views.len());
        })
    };
    let Some(before) = measured(&mut model)? else { return Ok(Outcome::Interrupted) };
    let (start, counter) = (Instant::now(), Counter::new("distilling layers"));
    let (path, mut done) = (run.checkpoint_path(), 0);
    let (options, threads) = (&args.options, context.common.threads);
    let (mut trainer, reports) =
        nerve_nerf::distill::distill(&path, &config, scene.clone(), &layers, options, threads, &mut |_| {
            done += 1;
            counter.set(done, layers.len());
        })?;
    drop(counter);
    let seconds = start.elapsed().as_secs_f64();
    let Some(after) = measured(trainer.model_mut())? else { return Ok(Outcome::Interrupted) };
    let whole = Whole {
        metric: "PSNR",
        quality: [before.psnr, after.psnr],
        parameters: [model.parameters(), trainer.model().parameters()],
        seconds_per_picture: [before.render_seconds, after.render_seconds],
    };
    let config = trainer.model().config().clone();
    finish(context, place, &config, trainer, &reports, (seconds, whole), args)
}

/// Every other layer: each merges with the one behind it.
fn apart(layers: Vec<String>) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    for name in layers {
        let follows = |before: &String| {
            let number =
                |name: &str| name.rsplit_once('.').and_then(|(_, number)| number.parse::<u32>().ok());
            number(before).zip(number(&name)).is_some_and(|(a, b)| a + 1 == b)
        };
        if !chosen.last().is_some_and(follows) {
            chosen.push(name);
        }
    }
    chosen
}

/// Of a segmenter.
pub fn segmenter(context: &Context, run: &RunFolder, args: &DistillArgs) -> anyhow::Result<Outcome> {
    let blocks: Blocks = args.layers.parse().map_err(|error: String| usage(format!("--layers: {error}")))?;
    let (mut config, set, teacher) = segmentation::restored(context, run)?;
    vision::distilled_config(&config, &blocks, &args.options).map_err(usage)?;
    let (place, path) = (place(context, run, args)?, run.checkpoint_path());
    let (step, _) = vision::reached(&path)?;
    lengthen::<vision::Trainer>(&mut config, step, args.options.fine_tune);
    let (set, cancel) = (Arc::new(set), context.interrupt.clean());
    let measured =
        |segmenter: &Segmenter, config: &SegConfig| -> Result<Option<(f64, f64)>, SegmentationError> {
            let split = match &config.data.val_split {
                Some(name) => set.split(name)?,
                None => match set.held_out() {
                    Some(split) => split,
                    None => set.split("val")?,
                },
            };
            let (split, counter) = (config.data.limited(split), Counter::new("evaluating images"));
            let total = split.pairs.len();
            let mut seen = |place: usize, _: &_, _: &_| counter.set(place + 1, total);
            let found =
                vision::evaluate(segmenter, &set, &split, &Inference::default(), false, cancel, &mut seen)?;
            Ok(found.map(|e| {
                (100.0 * e.scores.mean_iou.unwrap_or_default(), e.elapsed.as_secs_f64() / total.max(1) as f64)
            }))
        };
    let Some(before) = measured(&teacher, &config)? else { return Ok(Outcome::Interrupted) };
    let (start, counter) = (Instant::now(), Counter::new("showing images"));
    let mut seen = |done, total| counter.set(done, total);
    let found = vision::distill(&path, &config, &set, &blocks, &args.options, cancel, &mut seen)?;
    drop(counter);
    let Some((trainer, reports)) = found else { return Ok(Outcome::Interrupted) };
    let seconds = start.elapsed().as_secs_f64();
    let Some(after) = measured(trainer.segmenter(), &config)? else { return Ok(Outcome::Interrupted) };
    let whole = Whole {
        metric: "mIoU",
        quality: [before.0, after.0],
        parameters: [teacher.variables().parameters(), trainer.segmenter().variables().parameters()],
        seconds_per_picture: [before.1, after.1],
    };
    let config = trainer.config().clone();
    finish(context, place, &config, trainer, &reports, (seconds, whole), args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_layer_is_chosen() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let all = names(&["trunk.0", "trunk.1", "trunk.2", "trunk.3", "trunk.4", "trunk.6", "trunk.7"]);
        assert_eq!(apart(all), names(&["trunk.0", "trunk.2", "trunk.4", "trunk.6"]));
    }
}
