//! A run from the command line, of whatever kind: begun or resumed, trained, measured, summed up.

use crate::context::Context;
use crate::given::Given;
use crate::outcome::{Outcome, usage};
use crate::output::remark;
use crate::sinks::Listeners;
use crate::{devices, format};
use nerve_core::checkpoint::Checkpoint;
use nerve_core::device::DeviceKind;
use nerve_core::run::{DoneReason, Events, Existing, RunConfig, RunError, RunFolder, Trainee, drive};
use nerve_core::settings::SettingError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// A kind of run, implemented by its trainer: what the command line needs of it, beside what core's loop ([`drive`])
/// does. Everything that is the same for all kinds is done here.
pub trait Job: Trainee<Error: Error + Send + Sync + 'static> + Sized {
    /// The kind's name in `config.toml`.
    const KIND: &'static str;
    /// How viewers lay it out.
    const LAYOUT: &'static str;
    /// Everything that a run is made of, as in `config.toml`.
    type Config: Clone + PartialEq + Serialize + DeserializeOwned;
    /// What is found by measuring.
    type Evaluation;

    /// The settings that all kinds share.
    fn run_settings(config: &mut Self::Config) -> &mut RunConfig;

    /// Finds a setting that cannot be.
    fn check(config: &Self::Config) -> Result<(), SettingError>;

    /// The setting that says where the data is, and where that is; `None` for data that the program makes itself.
    fn data(config: &Self::Config) -> Option<(&'static str, &Path)>;

    /// Loads the data and makes a trainer of fresh weights, or one that goes on where `checkpoint` ends.
    fn open(context: &Context, config: &Self::Config, checkpoint: Option<&Path>) -> anyhow::Result<Self>;

    /// The kind of device that it computes on.
    fn device(&self) -> DeviceKind;

    /// Measures held-out data and writes down what was found; `None` if there is none, which is said, or on Ctrl-C.
    fn measure(
        &mut self,
        context: &Context,
        run: &RunFolder,
        events: &Events,
    ) -> anyhow::Result<Option<Self::Evaluation>>;

    /// What is trained: `12,207,504 parameters (grid 12,196,240, mlp 11,264)`.
    fn description(&self) -> String;

    /// The same for programs: fields of the line `start`, `parameters` among them.
    fn sizes(&self) -> Map<String, Value>;

    /// What else is to be known before the first step.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// What was done so far: `step 40`.
    fn taken(&self) -> String {
        format!("step {}", self.step_count())
    }

    /// Whether an error means that the device has failed: nothing more is got from it, and what was saved is all there is.
    fn has_lost_device(error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// An evaluation for people, in lines.
    fn results(run: &RunFolder, evaluation: &Self::Evaluation) -> String;

    /// An evaluation, or that there is none, for programs: fields of the line `summary`.
    fn scores(evaluation: Option<&Self::Evaluation>) -> Map<String, Value>;

    /// The command that is likely to come after a finished run, and what it is for.
    fn next(&self, run: &Path, evaluated: bool) -> String;
}

/// Flags of commands that make a run.
#[derive(Clone, Debug, clap::Args)]
pub struct NewRun {
    /// Do not evaluate at the end, nor when it is resumed
    #[arg(long, help_heading = "Run")]
    no_eval: bool,
    /// Replace the run in --out
    #[arg(long, help_heading = "Run")]
    overwrite: bool,
}

/// The flag `--time` of a command, with how long it trains where nothing is said.
pub fn length_help(time: clap::Arg, default: &str) -> clap::Arg {
    let help = time.get_help().map(ToString::to_string).unwrap_or_default();
    time.help(format!("{help} [default: {default}]"))
}

impl NewRun {
    /// What to do about a run that is there already.
    fn existing(&self) -> Existing {
        if self.overwrite { Existing::Overwrite } else { Existing::Keep }
    }

    /// Refuses an `--out` that cannot become a run, before anything that takes long.
    pub fn check(&self, out: Option<&Path>) -> anyhow::Result<()> {
        match out {
            Some(out) => Ok(RunFolder::check(out, self.existing())?),
            // clap's `requires` would not see an `--out` that stands before the command.
            None if self.overwrite => {
                Err(usage("--overwrite replaces the run in --out: give --out, too").into())
            }
            None => Ok(()),
        }
    }

    /// Makes the run's folder, named after what it learns from unless `--out` says otherwise, and trains.
    pub fn train<J: Job>(
        &self,
        context: &Context,
        name: &str,
        config: &J::Config,
        job: J,
    ) -> anyhow::Result<Outcome> {
        context.interrupt.clean();
        // This takes a name: nothing that can fail may follow but the run itself.
        let folder = match &context.common.out {
            Some(out) => out.clone(),
            None => RunFolder::next_free("runs", name)?,
        };
        let mut config = config.clone();
        J::run_settings(&mut config).no_eval = self.no_eval;
        let run = RunFolder::create(folder, J::KIND, job.device(), &config, self.existing())?;
        Session::new(context, run, job).train(!self.no_eval)
    }
}

/// Resumes a run, to `steps` or `time` in total where one is given.
pub fn resume<J: Job>(
    context: &Context,
    mut folder: RunFolder,
    (steps, time): (Option<u64>, Option<Duration>),
    evaluate: bool,
) -> anyhow::Result<Outcome> {
    folder.lock()?;
    let saved: J::Config = folder.config()?;
    J::check(&saved).map_err(|error| in_config(&folder, &error))?;
    let mut config = saved.clone();
    // Said when the run was begun, it holds; `nerve eval` measures at any time.
    J::run_settings(&mut config).no_eval |= !evaluate;
    let evaluate = !J::run_settings(&mut config).no_eval;
    if steps.is_some() || time.is_some() {
        let run = J::run_settings(&mut config);
        (run.steps, run.time) = (steps, time);
        J::check(&config).map_err(usage)?;
    }
    let checkpoint = Some(folder.checkpoint_path()).filter(|path| path.exists());
    let job = J::open(context, &config, checkpoint.as_deref());
    let job = job.map_err(|error| explain::<J>(error, &config, &folder))?;
    if checkpoint.is_none() {
        // Killed before the first checkpoint: the same start gives the same run.
        remark(format_args!("{} has no checkpoint: starting from the beginning", folder.path().display()));
    }
    let (step, elapsed) = (job.step_count(), job.clock().elapsed());
    if job.progress() >= 1.0 && (!evaluate || is_evaluated(&folder, step, None)) {
        context.output.say(format_args!(
            "nothing left to do: {} is at step {step} after {}; --steps or --time train longer",
            folder.path().display(),
            format::time(elapsed)
        ));
        context.output.line("nothing", &json!({"run": folder.path(), "step": step}));
        return Ok(Outcome::Done);
    }
    context.interrupt.clean();
    if changes_device(&mut folder, job.device())? || config != saved {
        folder.write_config(&config)?;
    }
    Session::new(context, folder, job).train(evaluate)
}

/// Of a setting in a run's configuration that cannot be.
pub fn in_config(run: &RunFolder, error: &SettingError) -> RunError {
    RunError::Config { path: run.config_path(), message: error.in_file() }
}

/// An error of opening a run: of a setting that this device does not have, or with what to do where its data is not where its configuration says.
pub fn explain<J: Job>(error: anyhow::Error, config: &J::Config, run: &RunFolder) -> anyhow::Error {
    if let Some(setting) = error.downcast_ref::<SettingError>() {
        return in_config(run, setting).into();
    }
    match J::data(config) {
        Some((key, place)) if !place.exists() => error.context(format!(
            "{}: what it was trained on cannot be read: {}",
            run.checkpoint_path().display(),
            Given::Run(run.clone()).data_remedy(key, place)
        )),
        _ => error,
    }
}

/// Whether a run continues on another kind of device than the one that it was saved on, which is said. The folder's
/// configuration is then to be written again: it tells the kind.
pub fn changes_device(folder: &mut RunFolder, device: DeviceKind) -> anyhow::Result<bool> {
    let checkpoint = folder.checkpoint_path();
    if checkpoint.exists() {
        let saved_on = Checkpoint::load(&checkpoint)?.device()?;
        if saved_on != device {
            remark(format_args!(
                "{} was trained on {saved_on} and continues on {device}: only on one kind of device do resumed runs end bit for \
                 bit as uninterrupted ones",
                folder.path().display()
            ));
        }
    }
    let changes = folder.device() != device;
    folder.set_device(device);
    Ok(changes)
}

/// Whether `eval.json` is about this step, and about this split if it must be.
pub fn is_evaluated(run: &RunFolder, step: u64, split: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Head {
        step: u64,
        split: String,
    }
    let text = std::fs::read_to_string(run.eval_path()).ok();
    text.and_then(|text| serde_json::from_str::<Head>(&text).ok())
        .is_some_and(|head| head.step == step && split.is_none_or(|split| split == head.split))
}

/// The folder of one of many runs, as it was left or new. `forgive` changes what a saved run may have otherwise.
///
/// # Errors
/// If it cannot be read or made, another program trains it, or it was begun with other settings.
pub fn one_of_many<J: Job>(
    path: &Path,
    device: DeviceKind,
    config: &J::Config,
    forgive: impl FnOnce(&mut J::Config),
) -> anyhow::Result<RunFolder> {
    // A stop while a run is created may leave a folder without a configuration.
    if !path.join("config.toml").exists() {
        return Ok(RunFolder::create(path, J::KIND, device, config, Existing::Keep)?);
    }
    let mut folder = RunFolder::open(path)?;
    folder.lock()?;
    let mut saved: J::Config = folder.config()?;
    forgive(&mut saved);
    anyhow::ensure!(
        saved == *config,
        "{}: this run has other settings; use the ones it was started with, or another --out",
        folder.config_path().display()
    );
    Ok(folder)
}

/// A trainer and the folder of its run.
pub struct Session<'a, J> {
    context: &'a Context,
    run: RunFolder,
    job: J,
    /// Whether it is one of many runs, whose command says what comes next.
    one_of_many: bool,
}

impl<'a, J: Job> Session<'a, J> {
    /// Puts them together.
    pub fn new(context: &'a Context, run: RunFolder, job: J) -> Self {
        Self { context, run, job, one_of_many: false }
    }

    /// As one of many runs of a command that says itself what comes next.
    pub fn one_of_many(self) -> Self {
        Self { one_of_many: true, ..self }
    }

    /// Cuts the log back to where the trainer is, trains to the end, evaluates if asked to, and sums up.
    pub fn train(mut self, evaluate: bool) -> anyhow::Result<Outcome> {
        let listeners = Listeners::new(self.context, &self.run, J::LAYOUT, self.job.step_count())?;
        self.announce();
        let cancel = self.context.interrupt.clean();
        let trained = drive(&mut self.job, &self.run.checkpoint_path(), &listeners.events, cancel);
        let trained = trained.map_err(|error| match J::has_lost_device(&error) {
            true => anyhow::anyhow!("{error}; {}", devices::left_of(&self.run)),
            false => error.into(),
        });
        let (reason, evaluation) = listeners.end(trained, |events| {
            if evaluate { self.job.measure(self.context, &self.run, events) } else { Ok(None) }
        })?;
        self.sum_up(&reason, evaluation.as_ref());
        Ok(if cancel.is_cancelled() { Outcome::Interrupted } else { Outcome::Done })
    }

    fn announce(&self) {
        let (config, step) = (self.job.run_config(), self.job.step_count());
        let length = match (config.steps, config.time) {
            (Some(steps), _) => format!("to step {steps}"),
            (None, time) => format!("for {}", format::time(time.unwrap_or_default())),
        };
        let from = if step > 0 { format!(" from step {step}") } else { String::new() };
        self.job.remarks().iter().for_each(remark);
        let run = self.run.path();
        remark(format_args!(
            "training {}{from} {length} in {}; Ctrl-C saves and stops",
            self.job.description(),
            run.display()
        ));
        let mut fields = self.job.sizes();
        fields.extend([
            ("run".to_owned(), json!(run)),
            ("kind".to_owned(), json!(J::KIND)),
            ("device".to_owned(), json!(self.job.device())),
            ("step".to_owned(), json!(step)),
            ("steps".to_owned(), json!(config.steps)),
            ("seconds".to_owned(), json!(config.time.map(|time| time.as_secs_f64()))),
        ]);
        self.context.output.line("start", &fields);
    }

    fn sum_up(&self, reason: &DoneReason, evaluation: Option<&J::Evaluation>) {
        let (output, run) = (self.context.output, self.run.path());
        let (step, elapsed) = (self.job.step_count(), self.job.clock().elapsed());
        let finished = *reason == DoneReason::Finished;
        let verb = if finished { "trained" } else { "stopped" };
        output.say(format_args!("{verb}   {} after {}", self.job.taken(), format::time(elapsed)));
        if let Some(evaluation) = evaluation {
            output.say(J::results(&self.run, evaluation));
        }
        output.say(format_args!("run       {}", run.display()));
        if !self.one_of_many {
            let next = match finished {
                true => self.job.next(run, evaluation.is_some()),
                false => format!("nerve resume {}    to continue", run.display()),
            };
            output.say(format_args!("next      {next}"));
        }
        let mut fields = J::scores(evaluation);
        fields.extend([
            ("run".to_owned(), json!(run)),
            ("reason".to_owned(), json!(if finished { "finished" } else { "cancelled" })),
            ("step".to_owned(), json!(step)),
            ("seconds".to_owned(), json!(elapsed.as_secs_f64())),
        ]);
        output.line("summary", &fields);
    }
}
