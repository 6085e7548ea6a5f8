//! How long a run is and what happens on the way: the settings that all kinds of runs share.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::{SettingError, check};

/// The length and the cadence of a run, as flags and as a part of a kind's `[train]` table.
///
/// Given in steps, a run is a function of its settings and data: it ends bit for bit the same after any interruption and
/// on any number of threads, on one kind of device. Given in time, its schedules follow the [`Clock`](super::Clock).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct RunConfig {
    /// Train for N steps; such a run resumes bit-identically
    #[arg(long, value_name = "N", conflicts_with = "time")]
    pub steps: Option<u64>,
    /// Train for this long, such as 90s, 5m or 1h; schedules follow the clock
    #[arg(long, value_name = "DURATION", value_parser = super::parse_time)]
    #[serde(with = "super::seconds")]
    pub time: Option<Duration>,
    /// Random seed
    // A signed 64-bit number is what the configuration file can hold.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    pub seed: u64,
    /// Evaluate on held-out data every N steps before the last
    #[arg(long, value_name = "N")]
    pub eval_every: Option<u64>,
    /// Seconds between checkpoints
    #[arg(long, value_name = "SECONDS", default_value_t = Self::SAVE_EVERY)]
    pub save_every: f64,
    /// Whether no evaluation follows the last step
    // A flag of the commands that make or resume a run; a resumed run remembers it.
    #[arg(skip)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_eval: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            steps: None,
            time: None,
            seed: 0,
            eval_every: None,
            save_every: Self::SAVE_EVERY,
            no_eval: false,
        }
    }
}

impl RunConfig {
    const SAVE_EVERY: f64 = 60.0;
    /// Seconds of a year.
    const LONGEST_SAVE: f64 = 366.0 * 86400.0;

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self { steps, eval_every, save_every, .. } = *self;
        check(steps != Some(0), "--steps", 0, "at least 1")?;
        // A signed 64-bit number is what the configuration file can hold.
        let held = steps.is_none_or(|steps| i64::try_from(steps).is_ok());
        check(held, "--steps", steps.unwrap_or_default(), "fewer than 2^63")?;
        let every = eval_every.unwrap_or(1);
        let fits = (1..=i64::MAX as u64).contains(&every);
        check(fits, "--eval-every", every, "at least 1 and fewer than 2^63")?;
        let seconds = save_every > 0.0 && save_every <= Self::LONGEST_SAVE;
        check(seconds, "--save-every", save_every, "a positive number of seconds, at most a year")
    }

    /// The share of the run that is done after so many steps and so much training time, 0 to 1; 0 for ever where neither
    /// steps nor time are given.
    #[must_use]
    pub fn progress(&self, step: u64, elapsed: Duration) -> f64 {
        let share = match (self.steps, self.time) {
            (Some(steps), _) => step as f64 / steps as f64,
            (None, Some(time)) => elapsed.as_secs_f64() / time.as_secs_f64(),
            (None, None) => 0.0,
        };
        share.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    /// As a kind of run has it: among its own settings, whose unknown keys are errors.
    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, clap::Args)]
    #[serde(default, deny_unknown_fields)]
    struct Train {
        #[command(flatten)]
        #[serde(flatten)]
        run: RunConfig,
        /// Something else
        #[arg(long, default_value_t = 0.0)]
        lr: f64,
    }

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        train: Train,
    }

    fn run(steps: Option<u64>, time: Option<u64>) -> RunConfig {
        RunConfig { steps, time: time.map(Duration::from_secs), ..RunConfig::default() }
    }

    #[test]
    fn flags_and_files_agree() {
        let given = |args: &[&str]| Cli::try_parse_from([&["x"], args].concat()).map(|cli| cli.train);
        assert_eq!(given(&[]).unwrap(), toml::from_str("").unwrap());
        let flags = ["--time", "1m", "--seed", "7", "--eval-every", "5", "--save-every", "2", "--lr", "0.5"];
        let train = given(&flags).unwrap();
        let text = "time = 60.0\nseed = 7\neval_every = 5\nsave_every = 2.0\nlr = 0.5\n";
        assert_eq!(train, toml::from_str(text).unwrap());
        assert_eq!(toml::to_string(&train).unwrap(), text);
        let steps: Train = toml::from_str("steps = 10").unwrap();
        assert_eq!(steps, given(&["--steps", "10"]).unwrap());
        assert_eq!(steps, toml::from_str(&toml::to_string_pretty(&steps).unwrap()).unwrap());
        assert!(given(&["--steps", "1", "--time", "1m"]).is_err(), "both are given");
    }

    #[test]
    fn unknown_keys_are_named() {
        for text in ["stepz = 10", "steps = 10\nlearning_rate = 1.0"] {
            let error = toml::from_str::<Train>(text).unwrap_err().to_string();
            let key = text.rsplit('\n').next().unwrap().split(' ').next().unwrap();
            assert!(error.contains("unknown field") && error.contains(key), "{error}");
        }
        let error = toml::from_str::<Train>("steps = 'many'").unwrap_err().to_string();
        assert!(error.contains("many"), "{error}");
    }

    #[test]
    fn progress_is_a_share_of_steps_or_of_time() {
        let (none, half) = (Duration::ZERO, Duration::from_secs(30));
        assert_eq!(run(Some(10), None).progress(4, half), 0.4);
        assert_eq!(run(Some(10), None).progress(11, half), 1.0);
        assert_eq!(run(None, Some(60)).progress(1000, half), 0.5);
        assert_eq!(run(None, None).progress(1000, half), 0.0);
        assert_eq!(run(None, Some(60)).progress(1000, none), 0.0);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let base = RunConfig::default();
        for (bad, setting) in [
            (RunConfig { steps: Some(0), ..base.clone() }, "--steps"),
            (RunConfig { steps: Some(1 << 63), ..base.clone() }, "--steps"),
            (RunConfig { eval_every: Some(0), ..base.clone() }, "--eval-every"),
            (RunConfig { save_every: 0.0, ..base.clone() }, "--save-every"),
            (RunConfig { save_every: f64::NAN, ..base.clone() }, "--save-every"),
            (RunConfig { save_every: 1e20, ..base.clone() }, "--save-every"),
        ] {
            assert_eq!(bad.validate().unwrap_err().setting, setting);
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
