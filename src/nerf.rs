//! Radiance fields from the command line: what their runs need that others do not.

use crate::context::Context;
use crate::evaluation::{self, Evaluation, Target};
use crate::given::Given;
use crate::outcome::Outcome;
use crate::output::remark;
use crate::progress::Counter;
use crate::session::Job;
use crate::viewers::SCENES;
use crate::{devices, forecast, format, scene};
use anyhow::Context as _;
use nerve_core::device::{Device, DeviceKind};
use nerve_core::engine::EngineError;
use nerve_core::metrics::lpips::Lpips;
use nerve_core::run::{Events, RunConfig, RunFolder};
use nerve_core::settings::SettingError;
use nerve_data::Scene;
use nerve_data::inspect::object_masks;
use nerve_data::scene::{Outline, Split};
use nerve_nerf::compact::{self, CompactOptions, Values};
use nerve_nerf::config::Masks;
use nerve_nerf::{Capture, Model, NerfConfig, NerfError, Trainer};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings that cannot be are a mistake on the command line, found before anything is read.
pub fn check(config: &NerfConfig) -> Result<(), SettingError> {
    config.validate()?;
    config.schedule.validate()?;
    config.grid.levels().map(drop)
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

/// The scene that a model was trained on: where its configuration says, or at another place.
pub fn scene_of(
    context: &Context,
    model: &mut Model,
    given: &Given,
    place: Option<&Path>,
) -> anyhow::Result<Scene> {
    let (mut data, file) = (model.config().data.clone(), given.file());
    if let Some(place) = place {
        data.scene = place.to_owned();
    }
    let unreadable = || {
        format!(
            "{}: the photographs that it was trained on cannot be read: {}",
            file.display(),
            given.data_remedy("scene", &data.scene)
        )
    };
    let outline = match data.scene.as_os_str().is_empty() {
        true => Err(anyhow::anyhow!("a program trained it and named no scene (`demo` is the built-in one)")),
        false => scene::outline(context, &data, Some(&file)),
    };
    let mut outline = outline.with_context(unreadable)?;
    if let Some(outline) = &mut outline {
        keep_frame(model.capture(), outline, &file)?;
    }
    let scene = scene::load_outlined(context, &data, outline).with_context(unreadable)?;
    model.attach(&scene, &file)?;
    Ok(scene)
}

/// Puts a scene where it lay when it was trained on, and says so where it lies elsewhere now.
fn keep_frame(capture: &Capture, outline: &mut Outline, file: &Path) -> anyhow::Result<()> {
    if capture.place(outline, file)? {
        remark("keeping the unit frame that the run began in: this version would place the scene otherwise");
    }
    Ok(())
}

/// What `nerve eval` of a field is told.
pub struct EvalArgs<'a> {
    /// Which views.
    pub split: Option<Split>,
    /// Files of weights, if LPIPS is asked for.
    pub lpips: &'a [PathBuf],
    /// Whether poses are fitted, too.
    pub fit_poses: bool,
    /// Where its scene is, if elsewhere.
    pub scene: Option<&'a Path>,
}

/// `nerve eval` of a field.
pub fn eval(context: &Context, given: &Given, args: &EvalArgs<'_>) -> anyhow::Result<Outcome> {
    // Before the scene, which takes longer to read.
    let lpips = read_lpips(args.lpips)?;
    let mut model = given.model(context, args.fit_poses)?;
    let scene = scene_of(context, &mut model, given, args.scene)?;
    let target = match given {
        Given::Run(run) => {
            run.check_links()?;
            Target::of(run)
        }
        Given::Field(file) => Target::beside(file),
    };
    evaluation::run(context, &mut model, &scene, &target, args.split, lpips.as_ref())
}

fn read_lpips(files: &[PathBuf]) -> anyhow::Result<Option<Lpips>> {
    Ok(if files.is_empty() { None } else { Some(Lpips::read(files)?) })
}

/// `nerve export RUN compact`.
pub fn export(
    context: &Context,
    given: &Given,
    file: Option<&Path>,
    options: &CompactOptions,
) -> anyhow::Result<Outcome> {
    let from = match given {
        Given::Run(run) => run.path(),
        Given::Field(file) => {
            anyhow::ensure!(
                compact::configuration(file).is_err(),
                "{}: it is a compact file already; to write another, give the run or its checkpoint",
                file.display()
            );
            file
        }
    };
    let file = file.map_or_else(|| compact_file(given), Path::to_owned);
    let mut model = given.model(context, false)?;
    let scene = if model.is_whole() || options.values == Values::F16 {
        None
    } else {
        Some(scene_of(context, &mut model, given, None)?)
    };
    let counter = Counter::new("calibrating levels");
    let mut seen = |done, all| counter.set(done, all);
    let report = compact::write(&mut model, scene.as_ref(), &file, options, &mut seen)?;
    drop(counter);
    // The cells as bits count in every line: the file holds them beside the values.
    let line = |what: &str, bytes: u64| format!("{what:<44} {:>10}", format::bytes(bytes));
    context.output.say(format_args!(
        "{}\n{}\n{}\n{}\nwrote {file}\nnext  nerve eval {file}",
        line("32-bit floats, and which cells are occupied", report.full + report.occupied),
        line("without entries that no sample can reach", report.removed + report.occupied),
        line("quantized", report.quantised),
        line("entropy-coded: the file", report.file),
        file = file.display(),
    ));
    context.output.line("compact", &json!({"run": from, "file": file, "bytes": report}));
    Ok(Outcome::Done)
}

/// Where a compact file goes if nothing is said: into the run's folder, or beside the checkpoint.
fn compact_file(given: &Given) -> PathBuf {
    match given {
        Given::Run(run) => {
            let name =
                std::path::absolute(run.path()).ok().and_then(|path| Some(path.file_name()?.to_owned()));
            run.path().join(name.unwrap_or_else(|| "field".into())).with_added_extension("compact")
        }
        Given::Field(file) => file.with_extension("compact"),
    }
}

impl Job for Trainer {
    const KIND: &'static str = nerve_nerf::KIND;
    const LAYOUT: &'static str = SCENES;
    type Config = NerfConfig;
    type Evaluation = Evaluation;

    fn run_settings(config: &mut NerfConfig) -> &mut RunConfig {
        &mut config.train.run
    }

    fn check(config: &NerfConfig) -> Result<(), SettingError> {
        check(config)
    }

    fn data(config: &NerfConfig) -> Option<(&'static str, &Path)> {
        Some(("scene", &*config.data.scene)).filter(|(_, scene)| !scene::is_demo(scene))
    }

    fn open(context: &Context, config: &NerfConfig, checkpoint: Option<&Path>) -> anyhow::Result<Self> {
        let device = devices::for_field(context, config)?;
        let mut outline = scene::outline(context, &config.data, checkpoint)?;
        if let (Some(outline), Some(checkpoint)) = (&mut outline, checkpoint) {
            keep_frame(&Capture::read(checkpoint)?, outline, checkpoint)?;
        }
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
        let uses_points = self.config().train.depth_weight() > 0.0 && points > 0;
        let points = uses_points.then(|| {
            format!(
                "also using the depths of {} structure-from-motion points; --depth 0 turns this off",
                format::whole(points)
            )
        });
        let background = self.plain_background().map(|[r, g, b]| {
            format!(
                "nearly all pictures are opaque and surrounded by ({r}, {g}, {b}), which is taken for their background and \
                 measured on; --background random takes it for part of the scene"
            )
        });
        let ignored = self.config().data.masks == Masks::Ignore;
        let masks = ignored.then(|| object_masks(self.scene())).flatten().map(|views| {
            format!(
                "warning: the masks of {views} views cut out an object, and what is outside of them is ignored, where nothing \
                 opposes fog: stop and train with --masks empty to learn that nothing is there"
            )
        });
        [masks, background, points].into_iter().flatten().collect()
    }

    fn has_lost_device(error: &NerfError) -> bool {
        matches!(error, NerfError::Engine(EngineError::Gpu(_)))
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
        let run = run.display();
        match (evaluated, evaluation::held_out(self.scene())) {
            (true, _) => format!("nerve resume {run} {longer}    to train longer"),
            (false, Some(_)) => format!("nerve eval {run}    to evaluate it"),
            (false, None) => {
                format!("nerve eval {run} --split train    to evaluate it on its training views")
            }
        }
    }
}
