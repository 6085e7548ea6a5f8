//! Everything that a run is made of: command line and saved file at once.

mod background;
mod classic;
mod field;
mod layers;
mod precision;
mod saved;
mod validate;

pub use background::Background;
pub(crate) use background::WHITE;
pub use classic::ClassicConfig;
pub use field::{ColorSees, FieldConfig, Method};
pub use layers::LayersConfig;

use crate::hollow::{HollowConfig, Switch};
use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_core::ops::small_gemm::Precision;
use nerve_core::run::RunConfig;
use nerve_core::schedule::Schedule;
use nerve_data::scene::{MaskUse, ViewChoice};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole configuration of a run, as in its `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(try_from = "saved::Saved")]
pub struct NerfConfig {
    /// What to train on.
    #[command(flatten, next_help_heading = "Data")]
    pub data: DataConfig,
    /// The encoding.
    #[command(flatten, next_help_heading = "Grid")]
    pub grid: HashGridConfig,
    /// The method and the networks.
    #[command(flatten, next_help_heading = "Field")]
    pub field: FieldConfig,
    /// HollowNeRF.
    #[command(flatten, next_help_heading = "HollowNeRF")]
    pub hollow: HollowConfig,
    /// The classic field.
    #[command(flatten, next_help_heading = "Classic field")]
    pub classic: ClassicConfig,
    /// Which layers are built otherwise.
    #[command(flatten, next_help_heading = "Layers")]
    pub layers: LayersConfig,
    /// How samples are found.
    #[command(flatten, next_help_heading = "Marching")]
    pub march: MarchConfig,
    /// How it is trained.
    #[command(flatten, next_help_heading = "Training")]
    pub train: TrainConfig,
    /// What is learned about the cameras.
    #[command(flatten, next_help_heading = "Cameras")]
    pub cameras: CameraConfig,
    /// Learning rate over the run.
    #[command(flatten, next_help_heading = "Schedule")]
    pub schedule: Schedule,
}

/// Which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The scene: a folder or a transforms.json, or `demo` for the built-in one
    #[arg(help_heading = None::<&str>)]
    pub scene: PathBuf,
    /// Downscale images by this factor
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub downscale: u32,
    /// Hold out every Nth view where the scene's files define no split; 0 holds out none
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub holdout: usize,
    /// Use these views: `all`, the number of a group that `nerve inspect` names where photographs contradict each other, or a
    /// file with a name a line [default: all, or the largest group that agrees]
    // Runs that say nothing have all.
    #[arg(long, value_name = "FILE|GROUP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<ViewChoice>,
    /// Use at most N views of each split
    #[arg(long, value_name = "N")]
    pub max_images: Option<usize>,
    /// What masks take out: `ignore` for what disturbs, `empty` around an object that they cut out
    #[arg(long, value_enum, default_value_t)]
    pub masks: Masks,
    /// Leave out photos that are empty, cut or damaged, instead of stopping with their names
    #[arg(long)]
    pub skip_bad: bool,
}

/// What the pixels are that a mask takes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Masks {
    /// Unknown, such as people who walked by: neither learned nor measured.
    #[default]
    Ignore,
    /// Nothing, learned as transparent, as if the mask were alpha.
    Empty,
}

impl From<Masks> for MaskUse {
    fn from(masks: Masks) -> Self {
        match masks {
            Masks::Ignore => Self::Ignore,
            Masks::Empty => Self::Empty,
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            scene: PathBuf::new(),
            downscale: 1,
            holdout: 8,
            views: None,
            max_images: None,
            masks: Masks::Ignore,
            skip_bad: false,
        }
    }
}

/// Ray marching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct MarchConfig {
    /// Ray-marching steps along the diagonal of the unit cube
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub steps_per_unit: u32,
    /// Near plane: distance from a camera to its nearest sample, in units of the scene's cube [default: from the scene's
    /// points, else 0.05]
    #[arg(long, value_name = "DISTANCE")]
    pub near: Option<f32>,
    /// End a ray once its transmittance falls below this (early stop)
    #[arg(long, value_name = "T", default_value_t = 5e-3)]
    pub cut: f32,
    /// Take no samples where no light of a training ray gets to, as behind surfaces [default: on where the photographs
    /// have no transparent pixels]
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub cull: Option<Switch>,
}

impl Default for MarchConfig {
    fn default() -> Self {
        Self { steps_per_unit: 512, near: None, cut: 5e-3, cull: None }
    }
}

impl MarchConfig {
    /// Nearest sample to a camera where nothing tells better.
    const NEAR: f32 = 0.05;

    /// Nearest sample to a camera, given how near the scene says there is anything.
    pub fn near(&self, scene: Option<f64>) -> f32 {
        self.near.or(scene.map(|near| near as f32)).unwrap_or(Self::NEAR)
    }
}

/// What is learned about the training cameras; `cameras.rs` says how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct CameraConfig {
    /// Learn a color correction per training photograph, for captures whose exposure or white balance changes
    #[arg(long)]
    pub appearance: bool,
    /// Learn small corrections to the training cameras' poses
    #[arg(long)]
    pub refine_poses: bool,
    /// Initial learning rate of the poses, in radians and in units of the scene's cube
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub pose_rate: f32,
    /// Share of the run over which the grid's levels enter the poses' gradients, from coarse to fine
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    pub coarse_until: f64,
    /// Whether held-out views are also measured from poses fitted to them where poses are not learned; an evaluation's, not a
    /// run's
    #[serde(skip)]
    #[arg(skip)]
    pub fit_poses: bool,
}

impl CameraConfig {
    /// Whether the loss is followed back to the rays.
    pub fn traces_rays(&self) -> bool {
        self.refine_poses || self.fit_poses
    }
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self { appearance: false, refine_poses: false, pose_rate: 1e-3, coarse_until: 0.25, fit_poses: false }
    }
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

/// Length, batch and optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// How long, and what happens on the way.
    #[command(flatten)]
    #[serde(flatten)]
    pub run: RunConfig,
    /// Samples per step; the number of rays adapts to it
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub batch_samples: usize,
    /// Learning rate of Adam
    // Runs of earlier versions say `rate`.
    #[arg(long, value_name = "RATE", default_value_t = 1e-2)]
    #[serde(alias = "rate")]
    pub lr: f32,
    /// Background behind the scene in training: random, white, black, #rrggbb, or auto, which is the plain color around
    /// opaque pictures that are all surrounded by it, else random
    #[arg(long, value_name = "COLOR", default_value_t)]
    pub background: Background,
    /// Show a smooth color by direction, learned from the photographs, where no training ray passed, instead of white
    /// [default: on where the photographs have no transparent pixels]
    #[arg(long, value_enum, value_name = "ON|OFF")]
    pub backdrop: Option<Switch>,
    /// Photometric loss
    #[arg(long, value_enum, default_value_t)]
    pub loss: Loss,
    /// Weight of the distortion loss (mip-NeRF 360), against floaters; try 0.01
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    pub distortion: f32,
    /// Weight of the depth loss, on structure-from-motion points or depth maps; 0 turns it off [default: 0.1 where the
    /// scene has points, else 0]
    #[arg(long, value_name = "WEIGHT")]
    pub depth: Option<f32>,
    /// Update every table entry at each step, not only those with a gradient
    #[arg(long)]
    pub dense_adam: bool,
    /// Precision: f32, on CUDA f16 (tables and networks), on a CPU with AMX bf16 (the networks' products) [default: f32 on
    /// the CPU, f16 on CUDA]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Evaluate with an exponential moving average of the weights, with this decay per step
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f32>,
}

impl TrainConfig {
    /// The weight of the depth loss where a scene has structure-from-motion points and nothing is asked for: it
    /// helped on every real scene that has them.
    pub const POINTS: f32 = 0.1;

    /// The weight of the depth loss, 0 for none; what is left open is decided by the [trainer](crate::Trainer::new).
    pub fn depth_weight(&self) -> f32 {
        self.depth.unwrap_or(0.0)
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            batch_samples: 65_536,
            lr: 1e-2,
            background: Background::default(),
            backdrop: None,
            loss: Loss::default(),
            distortion: 0.0,
            depth: None,
            dense_adam: false,
            precision: None,
            ema: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn renamed_keys_of_earlier_runs_are_read() {
        let old: NerfConfig = serde_json::from_str(r#"{"train": {"rate": 0.5}}"#).unwrap();
        assert_eq!(old.train.lr, 0.5);
        let written = serde_json::to_value(&old).unwrap();
        assert!(written["train"]["lr"] == 0.5 && written["train"]["rate"].is_null(), "{written}");
        assert_eq!(serde_json::from_value::<NerfConfig>(written).unwrap(), old);
    }

    /// `method` stood in `[hollow]`; it is written to `[field]`. Unknown keys and values are named still.
    #[test]
    fn the_method_of_earlier_runs_is_read() {
        let read = |text: &str| toml::from_str::<NerfConfig>(text);
        let old = read("[hollow]\nmethod = \"hollow\"\nsaliency_side = 32\ngate = \"off\"\n").unwrap();
        assert_eq!((old.field.method, old.hollow.saliency_side), (Method::Hollow, 32));
        assert!(old.has_saliency_grid() && !old.has_gate());
        let text = toml::to_string(&old).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["field"]["method"].as_str(), Some("hollow"));
        assert!(!table["hollow"].as_table().unwrap().contains_key("method"), "{text}");
        assert_eq!(read(&text).unwrap(), old);
        assert_eq!(read("[hollow]\nmethod = \"plain\"").unwrap(), NerfConfig::default());
        assert_eq!(read("").unwrap(), NerfConfig::default());
        for (text, named) in [
            ("[field]\nmethod = \"hollow\"\n[hollow]\nmethod = \"plain\"", "remove it from [hollow]"),
            ("[hollow]\nsaliency_sides = 32", "saliency_sides"),
            ("[hollow]\nsaliency_side = \"wide\"", "wide"),
            ("[field]\nmethod = \"round\"", "round"),
            ("[field]\nwide = 3", "wide"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
