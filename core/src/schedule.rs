//! Learning-rate schedules, as pure functions of the training progress.
//!
//! Progress is `step / steps` when a run is bounded by steps, `elapsed / total` when it is bounded by time.
//! A schedule yields a factor; the learning rate of a parameter group is its base rate times that factor.
use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::settings::{SettingError, check};

/// The factor with which the linear warm-up begins: small, but not zero, so that the first step moves.
const WARMUP_START: f64 = 0.01;

/// How the learning rate falls after warm-up and hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// It does not fall.
    Constant,
    /// By the same ratio in equal spans of progress, down to the final factor.
    #[default]
    Exponential,
    /// Along half a cosine, down to the final factor.
    Cosine,
    /// As `(1 - x)^0.9` of the remaining progress x, down to the final factor (DeepLab's, usual in segmentation).
    Poly,
    /// Evenly, down to the final factor. With a long hold this is warm-up, stable, decay (WSD).
    Linear,
}

/// The exponent of [`Decay::Poly`].
const POLY: f64 = 0.9;

/// A learning-rate schedule: linear warm-up, hold at the base rate, then decay until the end.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// How the learning rate decays after warmup and hold
    #[arg(long = "lr-decay", value_enum, default_value_t = Self::DEFAULT.decay)]
    pub decay: Decay,
    /// Share of the run over which the learning rate warms up to its base value
    #[arg(long = "lr-warmup", default_value_t = Self::DEFAULT.warmup)]
    pub warmup: f64,
    /// Share of the run, after the warmup, with the base learning rate
    #[arg(long = "lr-hold", default_value_t = Self::DEFAULT.hold)]
    pub hold: f64,
    /// Learning rate at the end of the run, as a factor of its base value
    #[arg(long = "lr-final", default_value_t = Self::DEFAULT.final_factor)]
    pub final_factor: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Schedule {
    const DEFAULT: Self = Self { decay: Decay::Exponential, warmup: 0.0, hold: 0.5, final_factor: 0.02 };

    /// Checks the settings: shares in `[0, 1]` that sum to at most 1, a final factor in `(0, 1]`.
    ///
    /// # Errors
    /// The first setting that is out of range, and what it must be.
    pub fn validate(&self) -> Result<(), SettingError> {
        let share =
            |setting, value: f64| check((0.0..=1.0).contains(&value), setting, value, "between 0 and 1");
        share("--lr-warmup", self.warmup)?;
        share("--lr-hold", self.hold)?;
        let sum = self.warmup + self.hold;
        check(sum <= 1.0, "--lr-warmup + --lr-hold", sum, "at most 1")?;
        let last = self.final_factor;
        check(last > 0.0 && last <= 1.0, "--lr-final", last, "above 0 and at most 1")
    }

    /// The factor of the base learning rate at `progress` in `[0, 1]`.
    ///
    /// Progress outside the interval counts as its nearer end, NaN (0 of 0 steps) as 0. The settings are
    /// expected to pass [`Schedule::validate`].
    #[must_use]
    pub fn factor(&self, progress: f64) -> f64 {
        let p = if progress.is_nan() { 0.0 } else { progress.clamp(0.0, 1.0) };
        if p < self.warmup {
            return WARMUP_START + (1.0 - WARMUP_START) * p / self.warmup;
        }
        let decay_start = self.warmup + self.hold;
        if p <= decay_start {
            return 1.0;
        }
        let x = (p - decay_start) / (1.0 - decay_start);
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Exponential => self.final_factor.powf(x),
            Decay::Cosine => self.between(0.5 * (1.0 + (PI * x).cos())),
            Decay::Poly => self.between((1.0 - x).powf(POLY)),
            Decay::Linear => self.between(1.0 - x),
        }
    }

    /// Between the final factor (0) and the base rate (1).
    fn between(&self, share: f64) -> f64 {
        self.final_factor + (1.0 - self.final_factor) * share
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    const DECAYS: [Decay; 5] =
        [Decay::Constant, Decay::Exponential, Decay::Cosine, Decay::Poly, Decay::Linear];

    fn schedule(decay: Decay) -> Schedule {
        Schedule { decay, warmup: 0.1, hold: 0.4, final_factor: 0.02 }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn phases_meet_at_their_known_values() {
        for decay in DECAYS {
            let s = schedule(decay);
            assert!(close(s.factor(0.0), WARMUP_START));
            assert!(close(s.factor(0.05), 0.505));
            assert!(close(s.factor(0.1), 1.0));
            assert!(close(s.factor(0.5), 1.0));
        }
        assert!(close(schedule(Decay::Constant).factor(1.0), 1.0));
        assert!(close(schedule(Decay::Exponential).factor(0.75), 0.02_f64.sqrt()));
        assert!(close(schedule(Decay::Exponential).factor(1.0), 0.02));
        assert!(close(schedule(Decay::Cosine).factor(0.75), 0.51));
        assert!(close(schedule(Decay::Cosine).factor(1.0), 0.02));
        assert!(close(schedule(Decay::Poly).factor(0.75), 0.02 + 0.98 * 0.5f64.powf(0.9)));
        assert!(close(schedule(Decay::Linear).factor(0.75), 0.51));
    }

    #[test]
    fn a_run_without_decay_phase_has_no_division_by_zero() {
        let s = Schedule { warmup: 0.25, hold: 0.75, ..Schedule::default() };
        assert!(close(s.factor(1.0), 1.0));
        assert!(close(s.factor(f64::NAN), WARMUP_START));
        assert!(close(Schedule { warmup: 0.0, ..s }.factor(0.0), 1.0));
    }

    #[test]
    fn bad_settings_are_named() {
        let base = Schedule::default();
        for (bad, field) in [
            (Schedule { warmup: -0.1, ..base }, "--lr-warmup"),
            (Schedule { hold: f64::NAN, ..base }, "--lr-hold"),
            (Schedule { warmup: 0.6, ..base }, "--lr-warmup + --lr-hold"),
            (Schedule { final_factor: 0.0, ..base }, "--lr-final"),
        ] {
            assert_eq!(bad.validate().unwrap_err().setting, field);
        }
        assert_eq!(base.validate(), Ok(()));
    }

    #[test]
    fn command_line_and_file_agree() {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            schedule: Schedule,
        }
        let defaults = Cli::try_parse_from(["x"]).unwrap().schedule;
        assert_eq!(defaults, toml::from_str("").unwrap());
        let cli = Cli::try_parse_from(["x", "--lr-decay", "cosine", "--lr-final=0.1"]).unwrap().schedule;
        assert_eq!(cli, toml::from_str("decay = 'cosine'\nfinal_factor = 0.1").unwrap());
        assert_eq!(cli, toml::from_str(&toml::to_string(&cli).unwrap()).unwrap());
        assert!(toml::from_str::<Schedule>("finalfactor = 0.1").is_err());
    }

    proptest! {
        #[test]
        fn factor_stays_between_final_and_one_and_falls_after_warmup(
            kind in 0usize..5, warmup in 0.0..0.5, hold in 0.0..0.5, p in 0.0..1.0, q in 0.0..1.0,
        ) {
            let s = Schedule { decay: DECAYS[kind], warmup, hold, final_factor: 0.05 };
            let (p, q) = if p < q { (p, q) } else { (q, p) };
            prop_assert!((WARMUP_START..=1.0).contains(&s.factor(p)));
            if p >= warmup {
                prop_assert!(s.factor(q) <= s.factor(p) && s.factor(q) >= 0.05 - 1e-12);
            }
        }
    }
}
