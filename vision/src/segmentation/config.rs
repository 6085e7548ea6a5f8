//! The configuration of a segmentation run: flags of the command line and keys of its `config.toml`.
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nerve_core::run::RunConfig;
use nerve_core::schedule::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use super::{BackboneName, HeadKind, Method};
use crate::backbones::MlpForms;
use crate::denseclip::LanguageConfig;

/// The whole configuration of a run, as in its `config.toml`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct SegConfig {
    /// What to train on.
    #[command(flatten, next_help_heading = "Data")]
    pub data: DataConfig,
    /// The network.
    #[command(flatten, next_help_heading = "Model")]
    pub model: ModelConfig,
    /// How images are augmented.
    #[command(flatten, next_help_heading = "Augmentation")]
    pub augment: AugmentConfig,
    /// How it is trained.
    #[command(flatten, next_help_heading = "Training")]
    pub train: TrainConfig,
    /// Learning rate over the run.
    #[command(flatten, next_help_heading = "Schedule")]
    pub schedule: SegSchedule,
}

/// Which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A folder of labeled images: CamVid, ADE20K, PASCAL VOC, Cityscapes, or images/ and masks/ with classes.txt
    #[arg(help_heading = None::<&str>)]
    pub labels: PathBuf,
    /// Split to train on
    #[arg(long, value_name = "NAME", default_value = "train")]
    pub train_split: String,
    /// Split to evaluate on [default: val, or test]
    #[arg(long, value_name = "NAME")]
    pub val_split: Option<String>,
    /// Use at most N images of each split
    #[arg(long, value_name = "N")]
    pub max_images: Option<usize>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { labels: PathBuf::new(), train_split: "train".into(), val_split: None, max_images: None }
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// What the segmenter is made of beside its backbone and head
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Backbone: the network that turns images into feature maps
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub backbone: BackboneName,
    /// Head: the network that turns feature maps into class scores
    #[arg(long, value_enum, default_value_t)]
    pub head: HeadKind,
    /// Pretrained weights of the backbone, a file or folder with the key names of timm, Hugging Face or the authors
    /// [default: random weights]
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// Channels of the head [default: 128, or 256 for upernet, and for semantic-fpn with denseclip]
    #[arg(long, value_name = "N")]
    pub head_width: Option<usize>,
    /// Dropout before the classifier; upernet has none
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub dropout: f32,
    /// Drop path (stochastic depth) of the backbone's last block; earlier ones have proportionally less
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub drop_path: f32,
    /// Weight of an auxiliary head's loss, on the third feature map and in training only; 0 turns it off, UPerNet's
    /// authors use 0.4
    #[arg(long, value_name = "FACTOR", default_value_t = 0.0)]
    pub aux_weight: f32,
    /// Freeze the backbone, batch statistics included, and train only the head
    #[arg(long)]
    pub freeze_backbone: bool,
    /// The language branch of DenseCLIP.
    #[command(flatten)]
    pub language: LanguageConfig,
    /// What the MLPs of the backbone's blocks are.
    #[command(flatten)]
    pub mlps: MlpForms,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            method: Method::default(),
            backbone: BackboneName::default(),
            head: HeadKind::default(),
            weights: None,
            head_width: None,
            dropout: 0.1,
            drop_path: 0.0,
            aux_weight: 0.0,
            freeze_backbone: false,
            language: LanguageConfig::default(),
            mlps: MlpForms::default(),
        }
    }
}

impl ModelConfig {
    /// Channels of the head.
    #[must_use]
    pub fn width(&self) -> usize {
        // As published: what is added has the pyramid's channels.
        let wide = self.method == Method::DenseClip && self.head == HeadKind::SemanticFpn;
        self.head_width.unwrap_or_else(|| if wide { 256 } else { self.head.width() })
    }
}

/// How images are augmented in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Height and width of the crops
    #[arg(long, value_name = "HxW", default_value = "224x448", value_parser = parse_size)]
    pub crop: [usize; 2],
    /// Smallest factor by which images are scaled before cropping
    #[arg(long, value_name = "FACTOR", default_value_t = 0.7)]
    pub scale_min: f64,
    /// Largest factor by which images are scaled before cropping
    #[arg(long, value_name = "FACTOR", default_value_t = 1.3)]
    pub scale_max: f64,
    /// Largest share of one class in a crop, if a few tries find such a crop; 1 accepts any
    #[arg(long, value_name = "SHARE", default_value_t = 0.75)]
    pub max_class_share: f64,
    /// Do not flip images horizontally
    #[arg(long)]
    pub no_flip: bool,
    /// Strength of random changes to brightness, contrast, saturation and hue; 0 to 2, where 0 turns
    /// them off and 1 is MMSegmentation's
    #[arg(long, value_name = "FACTOR", default_value_t = 0.5)]
    pub photometric: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            crop: [224, 448],
            scale_min: 0.7,
            scale_max: 1.3,
            max_class_share: 0.75,
            no_flip: false,
            photometric: 0.5,
        }
    }
}

/// How it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// How long, and what happens on the way.
    #[command(flatten)]
    #[serde(flatten)]
    pub run: RunConfig,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub batch: usize,
    /// Batches accumulated per step
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub accumulate: usize,
    /// Learning rate of the backbone
    #[arg(long, value_name = "RATE", default_value_t = 3e-4)]
    pub lr: f32,
    /// Learning rate of the head
    #[arg(long, value_name = "RATE", default_value_t = 1.5e-3)]
    pub head_lr: f32,
    /// Decoupled weight decay of matrices and kernels; biases and norms have none
    #[arg(long, value_name = "RATE", default_value_t = 0.02)]
    pub weight_decay: f32,
    /// Clip gradients to this global norm; 0 does not clip
    #[arg(long, value_name = "NORM", default_value_t = 5.0)]
    pub clip: f64,
    /// Steps over which the learning rate warms up
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub warmup_steps: u64,
    /// Evaluate and predict with an exponential moving average of the weights, with this decay per step; 0 keeps none
    #[arg(long, value_name = "FACTOR", default_value_t = 0.0)]
    pub ema: f32,
    /// How the loss weights classes
    #[arg(long, value_enum, default_value_t)]
    pub class_weights: ClassWeights,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            batch: 4,
            accumulate: 1,
            lr: 3e-4,
            head_lr: 1.5e-3,
            weight_decay: 0.02,
            clip: 5.0,
            warmup_steps: 30,
            ema: 0.0,
            class_weights: ClassWeights::default(),
        }
    }
}

/// How the loss weights classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// `1 / ln(1.1 + share)`, by the class's share of labeled pixels: rare ones more (ENet, Paszke et al. 2016)
    #[default]
    Log,
    /// All equally
    Equal,
}

impl ClassWeights {
    /// The weights of classes with these pixel counts. A class that does not occur has the largest weight.
    #[must_use]
    pub fn of(self, counts: &[u64]) -> Vec<f32> {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let weight = |n: &u64| match self {
            Self::Log => (1.0 / (1.1 + *n as f64 / total).ln()) as f32,
            Self::Equal => 1.0,
        };
        counts.iter().map(weight).collect()
    }
}

/// Learning rate over the run, after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct SegSchedule {
    /// How the learning rate decays; linear after a long hold is "warmup, stable, decay"
    #[arg(long = "lr-decay", value_enum, default_value_t = Decay::Poly)]
    pub decay: Decay,
    /// Share of the run with the base learning rate
    #[arg(long = "lr-hold", value_name = "SHARE", default_value_t = 0.0)]
    pub hold: f64,
    /// Learning rate at the end of the run, as a factor of its base value
    #[arg(long = "lr-final", value_name = "FACTOR", default_value_t = 1e-3)]
    pub final_factor: f64,
}

impl Default for SegSchedule {
    fn default() -> Self {
        Self { decay: Decay::Poly, hold: 0.0, final_factor: 1e-3 }
    }
}

impl SegSchedule {
    /// As a schedule by progress; the warm-up is counted in steps, apart from it.
    #[must_use]
    pub fn by_progress(&self) -> Schedule {
        Schedule { decay: self.decay, warmup: 0.0, hold: self.hold, final_factor: self.final_factor }
    }
}

/// A height and a width as on the command line: `HxW`, or one number for both.
///
/// # Errors
/// If it is neither; the message shows how to write one.
pub fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let (h, w) = text.split_once(['x', 'X']).unwrap_or((text, text));
    match (h.trim().parse(), w.trim().parse()) {
        (Ok(h), Ok(w)) => Ok([h, w]),
        _ => Err("use HEIGHTxWIDTH, such as 224x448".into()),
    }
}
