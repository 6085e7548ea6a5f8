//! Everything that a run is made of: command line and saved file at once.

use crate::hollow::HollowConfig;
use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_core::ops::matmul::Precision;
use nerve_core::schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration of a run, as in its `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct NerfConfig {
    /// What to train on.
    #[command(flatten, next_help_heading = "Data")]
    pub data: DataConfig,
    /// The encoding.
    #[command(flatten, next_help_heading = "Grid")]
    pub grid: HashGridConfig,
    /// The networks.
    #[command(flatten, next_help_heading = "Field")]
    pub field: FieldConfig,
    /// HollowNeRF.
    #[command(flatten, next_help_heading = "Method")]
    pub hollow: HollowConfig,
    /// How samples are found.
    #[command(flatten, next_help_heading = "Marching")]
    pub march: MarchConfig,
    /// How it is trained.
    #[command(flatten, next_help_heading = "Training")]
    pub train: TrainConfig,
    /// Learning rate over the run.
    #[command(flatten, next_help_heading = "Schedule")]
    pub schedule: Schedule,
}

/// Which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A scene's folder or transforms.json, or the built-in `demo`
    #[arg(help_heading = None::<&str>)]
    pub scene: PathBuf,
    /// Divide the images' sides by this
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub downscale: u32,
    /// Hold out every so manieth view where the files give no split; 0 holds out none
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub holdout: usize,
    /// Use at most so many views of each split
    #[arg(long, value_name = "N")]
    pub max_images: Option<usize>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { scene: PathBuf::new(), downscale: 1, holdout: 8, max_images: None }
    }
}

/// The density and colour networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct FieldConfig {
    /// Neurons per hidden layer, 32 to 128 in steps of 16
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub width: usize,
    /// Hidden layers of the density network
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub density_layers: usize,
    /// Hidden layers of the colour network
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub color_layers: usize,
    /// Outputs of the density network: the density and what the colour network sees of it
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub geometry_features: usize,
    /// What the colour network sees of these: all, as in Instant-NGP, or all but the density, as in torch-ngp
    #[arg(long, value_enum, default_value_t)]
    pub color_sees: ColorSees,
}

/// Which of the density network's outputs the colour network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ColorSees {
    /// All, the raw density included.
    #[default]
    All,
    /// All but the raw density.
    Geometry,
}

impl Default for FieldConfig {
    fn default() -> Self {
        Self {
            width: 64,
            density_layers: 1,
            color_layers: 2,
            geometry_features: 16,
            color_sees: ColorSees::All,
        }
    }
}

/// Ray marching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct MarchConfig {
    /// Steps along the diagonal of the unit cube
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub steps_per_unit: u32,
    /// Nearest sample to a camera, in units of the scene's cube
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.05)]
    pub near: f32,
    /// Samples behind which less light than this gets through are dropped
    #[arg(long, value_name = "SHARE", default_value_t = 5e-3)]
    pub cut: f32,
}

impl Default for MarchConfig {
    fn default() -> Self {
        Self { steps_per_unit: 512, near: 0.05, cut: 5e-3 }
    }
}

/// What transparent pixels are composited on while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// A new random colour for every ray: nothing can hide in front of it.
    #[default]
    Random,
    /// White.
    White,
    /// Black.
    Black,
}

/// The photometric loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error.
    #[default]
    Mse,
    /// Huber's loss with delta 0.1: squared near zero, linear beyond, for photographs with things that moved.
    Huber,
}

/// Length, batch and optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Train for so many steps; resuming such a run is bit-identical
    #[arg(long, value_name = "N", conflicts_with = "time")]
    pub steps: Option<u64>,
    /// Train for so long, such as 90s, 5m or 1h; schedules follow the clock [default without --steps: 5m, demo: 45s]
    #[arg(long, value_name = "DURATION", value_parser = parse_time)]
    #[serde(with = "seconds")]
    pub time: Option<Duration>,
    /// Samples per step: the number of rays adapts to it
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub batch_samples: usize,
    /// Learning rate of Adam
    #[arg(long = "lr", default_value_t = 1e-2)]
    pub rate: f32,
    /// Background of transparent pixels in training
    #[arg(long, value_enum, default_value_t)]
    pub background: Background,
    /// Photometric loss
    #[arg(long, value_enum, default_value_t)]
    pub loss: Loss,
    /// Update all of the tables at every step instead of touched entries only
    #[arg(long)]
    pub dense_adam: bool,
    /// Arithmetic of the networks' products; bf16 needs a CPU with AMX
    #[arg(long, value_enum, default_value_t)]
    pub precision: Precision,
    /// Average the weights with this decay per step and evaluate with the average
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f32>,
    /// Evaluate a few held-out views every so many steps
    #[arg(long, value_name = "STEPS")]
    pub eval_every: Option<u64>,
    /// Seconds between two checkpoints
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    pub save_every: f64,
    /// Seed of everything random
    // A signed 64-bit number is what the configuration file can hold.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: None,
            time: None,
            batch_samples: 65_536,
            rate: 1e-2,
            background: Background::default(),
            loss: Loss::default(),
            dense_adam: false,
            precision: Precision::default(),
            ema: None,
            eval_every: None,
            save_every: 60.0,
            seed: 0,
        }
    }
}

/// A duration as on the command line: `90`, `90s`, `5m`, `1h 30m`.
///
/// # Errors
/// If it is none, or zero; the message shows how to write one.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    match seconds.map_or_else(|| humantime::parse_duration(text), Ok) {
        Ok(time) if time.is_zero() => Err("a run needs some time".into()),
        Ok(time) => Ok(time),
        Err(e) => Err(format!("{e}; use 90s, 5m or 1h")),
    }
}

mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        time.map(|t| t.as_secs_f64()).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(d)?;
        seconds.map(|s| Duration::try_from_secs_f64(s).map_err(serde::de::Error::custom)).transpose()
    }
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} = {value} is not possible: {remedy}")]
pub struct ConfigError {
    /// The flag.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub remedy: &'static str,
}

/// Seconds of a year.
const LONGEST_SAVE: f64 = 366.0 * 86400.0;

pub(crate) fn check(
    ok: bool,
    field: &'static str,
    value: String,
    remedy: &'static str,
) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError { field, value, remedy }) }
}

impl NerfConfig {
    fn validate_hollow(&self) -> Result<(), ConfigError> {
        let h = &self.hollow;
        let side = h.saliency_side.is_multiple_of(8) && (8..=256).contains(&h.saliency_side);
        check(side, "--saliency-side", h.saliency_side.to_string(), "use 8 to 256 in steps of 8")?;
        let share = h.saliency_share > 0.0 && h.saliency_share < 1.0;
        check(share, "--saliency-share", h.saliency_share.to_string(), "use 0 to 1, such as 0.04")?;
        for (field, value) in [("--rho", h.rho), ("--l1-weight", h.l1_weight)] {
            check(value >= 0.0 && value.is_finite(), field, value.to_string(), "use 0 or more")?;
        }
        let shares = [
            ("--saliency-start", h.saliency_start),
            ("--gate-start", h.gate_start),
            ("--alpha-switch", h.alpha_switch),
            ("--steer-from", h.steer_from),
        ];
        for (field, value) in shares {
            check((0.0..=1.0).contains(&value), field, value.to_string(), "use 0 to 1")?;
        }
        let positive = [("--alpha", h.alpha), ("--late-alpha", h.late_alpha)];
        for (field, value) in positive {
            let ok = value > 0.0 && value.is_finite();
            check(ok, field, value.to_string(), "use a positive number")?;
        }
        let travel = h.saliency_travel > 0.0 && h.saliency_travel.is_finite();
        check(
            travel,
            "--saliency-travel",
            h.saliency_travel.to_string(),
            "use a positive number, such as 300",
        )
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let d = &self.data;
        check(d.downscale > 0, "--downscale", "0".into(), "use at least 1")?;
        check(d.max_images != Some(0), "--max-images", "0".into(), "use at least 1")?;
        let f = &self.field;
        let width = f.width.is_multiple_of(16) && (32..=128).contains(&f.width);
        check(width, "--width", f.width.to_string(), "use 32 to 128 in steps of 16")?;
        for (field, layers) in [("--density-layers", f.density_layers), ("--color-layers", f.color_layers)] {
            check((1..=4).contains(&layers), field, layers.to_string(), "use 1 to 4")?;
        }
        let geometry = f.geometry_features;
        check((1..=64).contains(&geometry), "--geometry-features", geometry.to_string(), "use 1 to 64")?;
        let sees = f.color_sees == ColorSees::All || geometry > 1;
        check(
            sees,
            "--color-sees",
            "geometry".into(),
            "with one geometry feature, only `all` sees anything",
        )?;
        let features = self.grid.levels * self.grid.features;
        check(features <= 128, "--levels times --features", features.to_string(), "use at most 128")?;
        self.validate_hollow()?;
        let m = &self.march;
        let steps = (64..=4096).contains(&m.steps_per_unit);
        check(steps, "--steps-per-unit", m.steps_per_unit.to_string(), "use 64 to 4096")?;
        check(m.near >= 0.0 && m.near.is_finite(), "--near", m.near.to_string(), "use 0 or more")?;
        check((0.0..0.5).contains(&m.cut), "--cut", m.cut.to_string(), "use 0 to 0.5, such as 5e-3")?;
        let t = &self.train;
        let batch = (1024..=1 << 22).contains(&t.batch_samples);
        check(batch, "--batch-samples", t.batch_samples.to_string(), "use 1024 to 4194304")?;
        check(t.rate > 0.0 && t.rate.is_finite(), "--lr", t.rate.to_string(), "use a small positive number")?;
        let precision = format!("{:?}", t.precision);
        check(t.precision.available(), "--precision", precision, "this CPU has no AMX with bf16: use f32")?;
        let ema = t.ema.is_none_or(|e| (0.0..1.0).contains(&e));
        check(ema, "--ema", format!("{:?}", t.ema), "use 0 to 1, such as 0.95")?;
        check(t.steps != Some(0), "--steps", "0".into(), "use at least 1")?;
        check(t.eval_every != Some(0), "--eval-every", "0".into(), "use at least 1")?;
        let steps = t.steps.is_none_or(|steps| i64::try_from(steps).is_ok());
        check(steps, "--steps", format!("{:?}", t.steps), "use fewer than 2^63")?;
        check(
            t.save_every > 0.0 && t.save_every <= LONGEST_SAVE,
            "--save-every",
            t.save_every.to_string(),
            "use a positive number of seconds, at most a year",
        )
    }
}
