//! A radiance field's run from the command line: sinks, training, evaluation, summary.

use crate::commands::Outcome;
use crate::context::Context;
use crate::format;
use crate::output::remark;
use crate::progress::Counter;
use crate::sinks::{JsonLines, Progress};
use indicatif::ProgressBar;
use nerve_core::run::{Delivery, DoneReason, Event, Events, MetricsLog, RunFolder};
use nerve_data::Scene;
use nerve_data::scene::Split;
use nerve_nerf::eval::{Report, evaluate_until};
use nerve_nerf::structure::Structure;
use nerve_nerf::{NerfConfig, Trainer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// In a run's `config.toml`.
pub const KIND: &str = "nerf";

/// Events that a slow sink may have waiting.
const WAITING: usize = 1024;
/// How long sinks may take to finish.
const CLOSING: Duration = Duration::from_secs(5);

/// `eval.json`: a report, and which views it is about.
#[derive(Serialize)]
struct Evaluation {
    split: &'static str,
    #[serde(flatten)]
    report: Report,
    field: Structure,
}

/// A trainer with fresh weights.
pub fn trainer(context: &Context, config: &NerfConfig, scene: Scene) -> anyhow::Result<Trainer> {
    Ok(Trainer::new(config.clone(), Arc::new(scene), context.common.threads)?)
}

/// Whether `eval.json` is about this step.
pub fn is_evaluated(run: &RunFolder, step: u64) -> bool {
    #[derive(Deserialize)]
    struct Head {
        step: u64,
    }
    let text = std::fs::read_to_string(run.eval_path()).ok();
    text.and_then(|text| serde_json::from_str::<Head>(&text).ok()).is_some_and(|head| head.step == step)
}

/// A trainer and the folder of its run.
pub struct Session<'a> {
    context: &'a Context,
    run: RunFolder,
    trainer: Trainer,
}

impl<'a> Session<'a> {
    /// Puts them together.
    pub fn new(context: &'a Context, run: RunFolder, trainer: Trainer) -> Self {
        Self { context, run, trainer }
    }

    /// Trains to the end, evaluates if asked to, and sums up.
    pub fn train(mut self, evaluate: bool) -> anyhow::Result<Outcome> {
        let (events, bar) = self.listen()?;
        self.announce();
        let trained = self.trainer.run(&self.run.checkpoint_path(), &events, self.context.interrupt.clean());
        bar.finish_and_clear();
        let result = trained.map_err(anyhow::Error::from).and_then(|reason| {
            let report = match reason {
                DoneReason::Finished if evaluate => self.measure_held_out(&events)?,
                _ => None,
            };
            Ok((reason, report))
        });
        let reason = match &result {
            Ok((reason, _)) => reason.clone(),
            Err(error) => DoneReason::Failed(error.to_string()),
        };
        events.publish(Event::Done { reason });
        events.close(CLOSING);
        let (reason, report) = result?;
        self.sum_up(&reason, report.as_ref());
        let stopped = self.context.interrupt.clean().is_cancelled();
        Ok(if stopped { Outcome::Interrupted } else { Outcome::Done })
    }

    /// Evaluates on the views of `split`, or on the held-out ones.
    pub fn evaluate(mut self, split: Option<Split>) -> anyhow::Result<Outcome> {
        let Some(split) = split.or_else(|| self.held_out()) else {
            anyhow::bail!(
                "{}: no view is held out; use --split train",
                self.trainer.scene().source.display()
            );
        };
        let Some(evaluation) = self.measure(split, &Events::new())? else { return Ok(Outcome::Interrupted) };
        let (run, renders) = (self.run.path().display(), self.run.renders_dir());
        self.context.output.say(format_args!("{}\n{}\nrun       {run}", held_out_line(&evaluation), field_line(&evaluation.field)));
        self.context.output.say(format_args!("pictures  {}", pictures(&renders)));
        Ok(Outcome::Done)
    }

    /// The sinks, and the bar to clear after training.
    fn listen(&self) -> anyhow::Result<(Events, ProgressBar)> {
        let events = Events::new();
        events.attach("metrics log", Delivery::Lossless, MetricsLog::open(self.run.metrics_path())?)?;
        let lossy = Delivery::Lossy { capacity: WAITING };
        if self.context.output.is_json() {
            events.attach("JSON output", lossy, JsonLines(std::io::stdout()))?;
        }
        let (progress, bar) = Progress::new();
        events.attach("progress", lossy, progress)?;
        Ok((events, bar))
    }

    fn announce(&self) {
        let train = &self.trainer.config().train;
        let length = match (train.steps, train.time) {
            (Some(steps), _) => format!("to step {steps}"),
            (None, time) => format!("for {}", format::time(time.unwrap_or_default())),
        };
        let (step, run) = (self.trainer.step_count(), self.run.path());
        let from = if step > 0 { format!(" from step {step}") } else { String::new() };
        let parameters = format::count(self.trainer.parameters() as f64);
        remark(format_args!(
            "training {parameters} parameters{from} {length} in {}; Ctrl-C saves and stops",
            run.display()
        ));
        let fields = json!({
            "run": run, "kind": KIND, "step": step, "steps": train.steps,
            "seconds": train.time.map(|time| time.as_secs_f64()), "parameters": self.trainer.parameters(),
        });
        self.context.output.line("start", &fields);
    }

    fn held_out(&self) -> Option<Split> {
        let splits = &self.trainer.scene().splits;
        [Split::Test, Split::Val].into_iter().find(|split| !splits.get(*split).is_empty())
    }

    fn measure_held_out(&mut self, events: &Events) -> anyhow::Result<Option<Evaluation>> {
        match self.held_out() {
            Some(split) => self.measure(split, events),
            None => {
                remark("no view is held out, so nothing is evaluated; --holdout 8 holds out every 8th");
                Ok(None)
            }
        }
    }

    /// Renders and measures the views of a split, and writes `eval.json`; `None` when interrupted.
    fn measure(&mut self, split: Split, events: &Events) -> anyhow::Result<Option<Evaluation>> {
        let views = self.trainer.scene().splits.get(split).to_vec();
        let (output, cancel) = (self.context.output, self.context.interrupt.clean());
        let counter = Counter::new("evaluating views");
        let mut done = 0;
        let report = evaluate_until(
            &mut self.trainer,
            &views,
            Some(&self.run.renders_dir()),
            events,
            cancel,
            &mut |view| {
                done += 1;
                counter.set(done, views.len());
                output.line("view", view);
            },
        )?;
        drop(counter);
        let Some(report) = report else {
            remark(format_args!(
                "evaluation stopped after {done} of {} views; `nerve eval {}` does it again",
                views.len(),
                self.run.path().display()
            ));
            return Ok(None);
        };
        let (field, live) = self.trainer.structure();
        self.trainer.draw_structure(&live, &self.run.renders_dir())?;
        let evaluation = Evaluation { split: split.name(), report, field };
        self.run.write_eval(&evaluation)?;
        output.line("eval", &evaluation);
        Ok(Some(evaluation))
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
            output.say(held_out_line(evaluation));
            output.say(field_line(&evaluation.field));
            output.say(format_args!("pictures  {}", pictures(&self.run.renders_dir())));
        }
        output.say(format_args!("run       {}\nnext      {next}", run.display()));
        let report = evaluation.map(|e| &e.report);
        let fields = json!({
            "run": run, "reason": if finished { "finished" } else { "cancelled" }, "step": step,
            "seconds": elapsed.as_secs_f64(), "psnr": report.map(|r| r.psnr), "ssim": report.map(|r| r.ssim),
        });
        output.line("summary", &fields);
    }
}

fn held_out_line(evaluation: &Evaluation) -> String {
    let Evaluation { split, report, .. } = evaluation;
    format!(
        "{split:<9} {} views: PSNR {:.2} dB, SSIM {:.4}, {:.2} s a view",
        report.views.len(),
        report.psnr,
        report.ssim,
        report.render_seconds
    )
}

fn field_line(field: &Structure) -> String {
    let mut line = format!(
        "field     {} parameters, {:.1} % of the cells live",
        format::count(field.parameters as f64),
        100.0 * field.live_share
    );
    if let Some(s) = &field.saliency {
        line += &format!("; saliency: mean {:.4}, {:.1} % closed", s.mean, 100.0 * s.closed_share);
    }
    line
}

fn pictures(renders: &std::path::Path) -> String {
    format!("{}: photograph, rendering, error x 4, depth", renders.join("*.png").display())
}
