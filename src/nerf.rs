//! Radiance fields from the command line: what their runs need that others do not.

use crate::context::Context;
use crate::evaluation::{self, Evaluation, Target};
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::progress::Counter;
use crate::session::Job;
use crate::viewers::SCENES;
use crate::{forecast, format, scene};
use anyhow::Context as _;
use nerve_core::device::{Device, DeviceKind};
use nerve_core::metrics::lpips::Lpips;
use nerve_core::run::{Events, RunConfig, RunFolder};
use nerve_data::Scene;
use nerve_data::scene::Split;
use nerve_nerf::compact::{self, CompactOptions, Values};
use nerve_nerf::{Model, NerfConfig, OpenOptions, Trainer};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings that cannot be are a mistake on the command line, found before anything is read.
pub fn check(config: &NerfConfig) -> anyhow::Result<()> {
    config.validate().map_err(usage)?;
    config.schedule.validate().map_err(usage)?;
    config.grid.levels().map_err(usage)?;
    Ok(())
}

/// A trainer with fresh weights.
pub fn trainer(
    context: &Context,
    device: Device,
    config: &NerfConfig,
    scene: Arc<Scene>,
) -> anyhow::Result<Trainer> {
    Ok(Trainer::on(device, config.clone(), scene, context.common.threads)?)
}

/// How fields are opened to be looked at, with poses fitted to photographs if that is wished.
pub fn looking(context: &Context, fit_poses: bool) -> anyhow::Result<OpenOptions> {
    let device = context.common.device.resolve()?;
    Ok(OpenOptions { device, threads: context.common.threads, fit_poses })
}

/// The scene that a model was trained on. The model was opened from a file of `run`, or from `file` itself.
pub fn scene_of(
    context: &Context,
    model: &mut Model,
    run: Option<&RunFolder>,
    file: &Path,
) -> anyhow::Result<Scene> {
    let data = model.config().data.clone();
    let scene = scene::load(context, &data).with_context(|| {
        let remedy = match run {
            Some(run) => format!(", or set `scene` in {} to where it is now", run.config_path().display()),
            None => String::new(),
        };
        format!(
            "{}: the photographs that it was trained on cannot be read: put the scene back at {}{remedy}",
            file.display(),
            data.scene.display()
        )
    })?;
    model.attach(&scene, file)?;
    Ok(scene)
}

/// `nerve eval` of a run; `lpips` are files of weights, if LPIPS is asked for.
pub fn eval(
    context: &Context,
    run: &RunFolder,
    split: Option<Split>,
    lpips: &[PathBuf],
    fit_poses: bool,
) -> anyhow::Result<Outcome> {
    // Before the scene, which takes longer to read.
    let lpips = read_lpips(lpips)?;
    let mut model = Model::open_run(run, &looking(context, fit_poses)?)?;
    let scene = scene_of(context, &mut model, Some(run), &run.checkpoint_path())?;
    evaluation::run(context, &mut model, &scene, &Target::of(run), split, lpips.as_ref())
}

/// `nerve eval` of a compact file.
pub fn eval_file(
    context: &Context,
    file: &Path,
    split: Option<Split>,
    lpips: &[PathBuf],
    fit_poses: bool,
) -> anyhow::Result<Outcome> {
    let lpips = read_lpips(lpips)?;
    let options = looking(context, fit_poses)?;
    // Of files, only these stand for themselves.
    compact::configuration(file)?;
    let mut model = Model::open(file, &options)?;
    let scene = scene_of(context, &mut model, None, file)?;
    evaluation::run(context, &mut model, &scene, &Target::beside(file), split, lpips.as_ref())
}

fn read_lpips(files: &[PathBuf]) -> anyhow::Result<Option<Lpips>> {
    Ok(if files.is_empty() { None } else { Some(Lpips::read(files)?) })
}

/// `nerve export RUN compact`.
pub fn export(
    context: &Context,
    run: &RunFolder,
    file: Option<&Path>,
    options: &CompactOptions,
) -> anyhow::Result<Outcome> {
    let file = file.map_or_else(|| compact_file(run.path()), Path::to_owned);
    let mut model = Model::open_run(run, &looking(context, false)?)?;
    let scene = if model.is_whole() || options.values == Values::F16 {
        None
    } else {
        Some(scene_of(context, &mut model, Some(run), &run.checkpoint_path())?)
    };
    let counter = Counter::new("calibrating levels");
    let mut seen = |done, all| counter.set(done, all);
    let report = compact::write(&mut model, scene.as_ref(), &file, options, &mut seen)?;
    drop(counter);
    let line = |what: &str, bytes: u64| format!("{what:<42} {:>10}", format::megabytes(bytes));
    context.output.say(format_args!(
        "{}\n{}\n{}\n{}\nwrote {file}\nnext  nerve eval {file}",
        line("all values as 32-bit floats", report.full),
        line("without entries that no sample can reach", report.removed),
        line("quantized", report.quantised),
        line("entropy-coded: the file", report.file),
        file = file.display(),
    ));
    context.output.line("compact", &json!({"run": run.path(), "file": file, "bytes": report}));
    Ok(Outcome::Done)
}

/// Where a run's compact file goes if nothing is said.
fn compact_file(run: &Path) -> PathBuf {
    let name = std::path::absolute(run).ok().and_then(|path| Some(path.file_name()?.to_owned()));
    run.join(name.unwrap_or_else(|| "field".into())).with_added_extension("compact")
}

impl Job for Trainer {
    const KIND: &'static str = nerve_nerf::KIND;
    const LAYOUT: &'static str = SCENES;
    type Config = NerfConfig;
    type Evaluation = Evaluation;

    fn run_settings(config: &mut NerfConfig) -> &mut RunConfig {
        &mut config.train.run
    }

    fn check(config: &NerfConfig) -> anyhow::Result<()> {
        check(config)
    }

    fn open(context: &Context, config: &NerfConfig, checkpoint: Option<&Path>) -> anyhow::Result<Self> {
        let device = context.common.device.resolve()?;
        let outline = scene::outline(&config.data)?;
        forecast::check_resumed(device, config, outline.as_ref())?;
        let scene = scene::load_outlined(context, &config.data, outline)?;
        let mut trainer = trainer(context, device, config, Arc::new(scene))?;
        if let Some(checkpoint) = checkpoint {
            trainer.resume(checkpoint)?;
        }
        Ok(trainer)
    }

    fn device(&self) -> DeviceKind {
        self.model().device().kind()
    }

    fn measure(
        &mut self,
        context: &Context,
        run: &RunFolder,
        events: &Events,
    ) -> anyhow::Result<Option<Evaluation>> {
        let Some(split) = evaluation::held_out(self.scene()) else {
            remark("no view is held out, so nothing is evaluated; --holdout 8 holds out every 8th view");
            return Ok(None);
        };
        let target = Target::of(run);
        self.averaged(|model, scene| evaluation::measure(context, model, scene, &target, split, None, events))
    }

    fn description(&self) -> String {
        let parts = self.model().parameter_groups().into_iter();
        let parts: Vec<String> = parts.map(|(name, n)| format!("{name} {}", format::whole(n))).collect();
        format!("{} parameters ({})", format::whole(self.model().parameters()), parts.join(", "))
    }

    fn sizes(&self) -> Map<String, Value> {
        [("parameters".to_owned(), json!(self.model().parameters()))].into_iter().collect()
    }

    fn remarks(&self) -> Vec<String> {
        let points = self.scene().points.len();
        if self.config().train.depth_weight() <= 0.0 || points == 0 {
            return Vec::new();
        }
        vec![format!(
            "also using the depths of {} structure-from-motion points; --depth 0 turns this off",
            format::whole(points)
        )]
    }

    fn results(run: &RunFolder, evaluation: &Evaluation) -> String {
        format!("{evaluation}\npictures  {}", Target::of(run).pictures())
    }

    fn scores(evaluation: Option<&Evaluation>) -> Map<String, Value> {
        let report = evaluation.map(|e| &e.report);
        [
            ("psnr".to_owned(), json!(report.map(|r| r.psnr))),
            ("ssim".to_owned(), json!(report.map(|r| r.ssim))),
        ]
        .into_iter()
        .collect()
    }

    fn next(&self, run: &Path, evaluated: bool) -> String {
        let longer = if self.config().train.run.steps.is_some() { "--steps N" } else { "--time DURATION" };
        match evaluated {
            true => format!("nerve resume {} {longer}    to train longer", run.display()),
            false => format!("nerve eval {}    to evaluate it", run.display()),
        }
    }
}
