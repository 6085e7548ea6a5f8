//! A radiance field's run from the command line: sinks, training, evaluation, summary.

use crate::context::Context;
use crate::evaluation::{self, Evaluation, Target};
use crate::format;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::scene;
use crate::sinks::Listeners;
use crate::viewers;
use anyhow::Context as _;
use nerve_core::run::{DoneReason, Events, RunFolder};
use nerve_data::Scene;
use nerve_data::scene::Split;
use nerve_nerf::{Model, NerfConfig, OpenOptions, Trainer};
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub use nerve_nerf::KIND;

/// Settings that cannot be are a mistake on the command line, found before anything is read.
pub fn check(config: &NerfConfig) -> anyhow::Result<()> {
    config.validate().map_err(usage)?;
    config.schedule.validate().map_err(usage)?;
    config.grid.levels().map_err(usage)?;
    Ok(())
}

/// A trainer with fresh weights.
pub fn trainer(context: &Context, config: &NerfConfig, scene: Arc<Scene>) -> anyhow::Result<Trainer> {
    let device = context.common.device.resolve()?;
    Ok(Trainer::on(device, config.clone(), scene, context.common.threads)?)
}

/// How fields are opened to be looked at, with poses fitted to photographs if that is wished.
pub fn looking(context: &Context, fit_poses: bool) -> anyhow::Result<OpenOptions> {
    let device = context.common.device.resolve()?;
    Ok(OpenOptions { device, threads: context.common.threads, fit_poses })
}

/// The scene that a model was trained on, to be compared with; `file` is what the model was opened from.
pub fn scene_of(context: &Context, model: &mut Model, file: &Path) -> anyhow::Result<Scene> {
    let data = model.config().data.clone();
    let scene = scene::load(context, &data).with_context(|| {
        format!(
            "{}: its scene, {}, cannot be read, whose photographs this compares with: put it back there, or change \
             `scene` in the run's config.toml",
            file.display(),
            data.scene.display()
        )
    })?;
    model.attach(&scene, file)?;
    Ok(scene)
}

/// Whether `eval.json` is about this step, and about the held-out views if it must be.
pub fn is_evaluated(run: &RunFolder, step: u64, split: Option<Split>) -> bool {
    #[derive(Deserialize)]
    struct Head {
        step: u64,
        split: String,
    }
    let text = std::fs::read_to_string(run.eval_path()).ok();
    text.and_then(|text| serde_json::from_str::<Head>(&text).ok())
        .is_some_and(|head| head.step == step && split.is_none_or(|split| split.name() == head.split))
}

/// A trainer and the folder of its run.
pub struct Session<'a> {
    context: &'a Context,
    run: RunFolder,
    trainer: Trainer,
    /// Whether it is one of many runs, whose command says what comes next.
    one_of_many: bool,
}

impl<'a> Session<'a> {
    /// Puts them together.
    pub fn new(context: &'a Context, run: RunFolder, trainer: Trainer) -> Self {
        Self { context, run, trainer, one_of_many: false }
    }

    /// As one of many runs of a command that says itself what comes next.
    pub fn one_of_many(self) -> Self {
        Self { one_of_many: true, ..self }
    }

    /// Cuts the log back to where the trainer is, trains to the end, evaluates if asked to, and sums up.
    pub fn train(mut self, evaluate: bool) -> anyhow::Result<Outcome> {
        let step = self.trainer.step_count();
        let listeners = Listeners::new(self.context, &self.run, viewers::SCENES, step)?;
        self.announce();
        let cancel = self.context.interrupt.clean();
        let trained = self.trainer.run(&self.run.checkpoint_path(), &listeners.events, cancel);
        let (reason, report) = listeners.end(trained.map_err(Into::into), |events| {
            if evaluate { self.measure(events) } else { Ok(None) }
        })?;
        self.sum_up(&reason, report.as_ref());
        Ok(if cancel.is_cancelled() { Outcome::Interrupted } else { Outcome::Done })
    }

    fn announce(&self) {
        let train = &self.trainer.config().train;
        let length = match (train.steps, train.time) {
            (Some(steps), _) => format!("to step {steps}"),
            (None, time) => format!("for {}", format::time(time.unwrap_or_default())),
        };
        let (step, run) = (self.trainer.step_count(), self.run.path());
        let from = if step > 0 { format!(" from step {step}") } else { String::new() };
        let parts = self.trainer.model().parameter_groups().into_iter();
        let parts: Vec<String> = parts.map(|(name, n)| format!("{name} {}", format::whole(n))).collect();
        remark(format_args!(
            "training {} parameters ({}){from} {length} in {}; Ctrl-C saves and stops",
            format::whole(self.trainer.model().parameters()),
            parts.join(", "),
            run.display()
        ));
        let points = self.trainer.scene().points.len();
        if train.depth_weight() > 0.0 && points > 0 {
            remark(format_args!(
                "learning from the distances of {} structure-from-motion points too; --depth 0 does not",
                format::whole(points)
            ));
        }
        let fields = json!({
            "run": run, "kind": KIND, "step": step, "steps": train.steps,
            "seconds": train.time.map(|time| time.as_secs_f64()), "parameters": self.trainer.model().parameters(),
        });
        self.context.output.line("start", &fields);
    }

    fn measure(&mut self, events: &Events) -> anyhow::Result<Option<Evaluation>> {
        match evaluation::held_out(self.trainer.scene()) {
            Some(split) => {
                let target = Target::of(&self.run);
                self.trainer.averaged(|model, scene| {
                    evaluation::measure(self.context, model, scene, &target, split, None, events)
                })
            }
            None => {
                remark("no view is held out, so nothing is evaluated; --holdout 8 holds out every 8th");
                Ok(None)
            }
        }
    }

    fn sum_up(&self, reason: &DoneReason, evaluation: Option<&Evaluation>) {
        let (output, run) = (self.context.output, self.run.path());
        let (step, elapsed) = (self.trainer.step_count(), self.trainer.elapsed());
        let finished = *reason == DoneReason::Finished;
        let next = match (finished, evaluation) {
            (true, Some(_)) => {
                format!("nerve resume {} --time DURATION    trains it for longer", run.display())
            }
            (true, None) => format!("nerve eval {}    measures it", run.display()),
            (false, _) => format!("nerve resume {}    goes on", run.display()),
        };
        let verb = if finished { "trained" } else { "stopped" };
        output.say(format_args!("{verb}   step {step} after {}", format::time(elapsed)));
        if let Some(evaluation) = evaluation {
            output.say(evaluation);
            output.say(format_args!("pictures  {}", Target::of(&self.run).pictures()));
        }
        output.say(format_args!("run       {}", run.display()));
        if !self.one_of_many {
            output.say(format_args!("next      {next}"));
        }
        let report = evaluation.map(|e| &e.report);
        let fields = json!({
            "run": run, "reason": if finished { "finished" } else { "cancelled" }, "step": step,
            "seconds": elapsed.as_secs_f64(), "psnr": report.map(|r| r.psnr), "ssim": report.map(|r| r.ssim),
        });
        output.line("summary", &fields);
    }
}
