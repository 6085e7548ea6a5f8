//! The configuration of a run on several tasks: flags of the command line and keys of its `config.toml`.
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use nerve_core::run::RunConfig;
use nerve_core::settings::{SettingError, check};
use nerve_data::augment::{Augment, ColorJitter};
use nerve_data::tasks::{DenseTask, TaskSet, TaskSplit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::adaptation::{MethodName, MethodSettings};
use crate::ranges;
use crate::segmentation::{BackboneName, SegSchedule, parse_size};

/// The whole configuration of a run, as in its `config.toml`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, Args)]
#[serde(default)]
pub struct TasksConfig {
    /// What to train on.
    #[command(flatten, next_help_heading = "Data")]
    pub data: TaskData,
    /// The network.
    #[command(flatten, next_help_heading = "Model")]
    pub model: TaskModel,
    /// How images are augmented.
    #[command(flatten, next_help_heading = "Augmentation")]
    pub augment: TaskAugment,
    /// How it is trained.
    #[command(flatten, next_help_heading = "Training")]
    pub train: TaskTrain,
    /// Learning rate over the run.
    #[command(flatten, next_help_heading = "Schedule")]
    pub schedule: SegSchedule,
}

/// Which images, and which of their labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TaskData {
    /// A folder of images with labels of several tasks: one that `nerve demo OUT --tasks N` writes, PASCAL_MT, NYUD_MT, or
    /// a label set, whose edges are derived
    #[arg(help_heading = None::<&str>)]
    pub labels: PathBuf,
    /// The tasks, in this order [default: all that the data has]
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    pub tasks: Vec<DenseTask>,
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

impl Default for TaskData {
    fn default() -> Self {
        Self {
            labels: PathBuf::new(),
            tasks: Vec::new(),
            train_split: "train".into(),
            val_split: None,
            max_images: None,
        }
    }
}

impl TaskData {
    /// The set with the chosen tasks.
    ///
    /// # Errors
    /// If it cannot be read, or has no labels of one of them.
    pub fn open(&self) -> Result<TaskSet, nerve_data::labels::LabelError> {
        let set = TaskSet::open(&self.labels)?;
        if self.tasks.is_empty() { Ok(set) } else { set.with_tasks(&self.tasks) }
    }

    /// A split with at most as many images as the configuration says, spread over it.
    #[must_use]
    pub fn limited(&self, split: &TaskSplit) -> TaskSplit {
        let all = split.images.len();
        let most = self.max_images.unwrap_or(all).clamp(1, all.max(1));
        let images = (0..most).filter_map(|i| split.images.get(i * all / most).cloned()).collect();
        TaskSplit { images, name: split.name.clone() }
    }

    /// The split to measure on; none if there is none.
    #[must_use]
    pub fn held_out(&self, set: &TaskSet) -> Option<TaskSplit> {
        let split = match self.val_split.as_deref() {
            Some(name) => set.split(name).ok(),
            None => set.held_out(),
        }?;
        Some(self.limited(split))
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TaskModel {
    /// Method of adaptation, such as polyhistor-lite, lora or shared-adapter; `nerve tasks methods` lists them
    #[arg(long, value_name = "NAME", default_value_t)]
    pub method: MethodName,
    /// Backbone, which stays frozen
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub backbone: BackboneName,
    /// Pretrained weights of the backbone, a file or folder with the key names of timm, Hugging Face or the authors
    /// [default: random weights]
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// Channels of the decoders
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub head_width: usize,
    /// Dropout before the last layer of decoders
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub dropout: f32,
    /// Settings of the method.
    #[command(flatten, next_help_heading = "Method")]
    pub settings: MethodSettings,
}

impl Default for TaskModel {
    fn default() -> Self {
        Self {
            method: MethodName::default(),
            backbone: BackboneName::default(),
            weights: None,
            head_width: 128,
            dropout: 0.1,
            settings: MethodSettings::default(),
        }
    }
}

/// How images are augmented in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TaskAugment {
    /// Height and width of the crops
    #[arg(long, value_name = "HxW", default_value = "96x96", value_parser = parse_size)]
    pub crop: [usize; 2],
    /// Smallest factor by which images are scaled before cropping
    #[arg(long, value_name = "FACTOR", default_value_t = 0.75)]
    pub scale_min: f64,
    /// Largest factor by which images are scaled before cropping
    #[arg(long, value_name = "FACTOR", default_value_t = 1.25)]
    pub scale_max: f64,
    /// Do not flip images horizontally
    #[arg(long)]
    pub no_flip: bool,
    /// Strength of random changes to brightness, contrast, saturation and hue; 0 to 2
    #[arg(long, value_name = "FACTOR", default_value_t = 0.5)]
    pub photometric: f64,
}

impl Default for TaskAugment {
    fn default() -> Self {
        Self { crop: [96, 96], scale_min: 0.75, scale_max: 1.25, no_flip: false, photometric: 0.5 }
    }
}

impl TaskAugment {
    pub(super) fn sampler(&self) -> Augment {
        Augment {
            crop: self.crop,
            scale: [self.scale_min, self.scale_max],
            max_class_share: 1.0,
            flip: if self.no_flip { 0.0 } else { 0.5 },
            color: ColorJitter::of_strength(self.photometric as f32),
            ..Augment::default()
        }
    }
}

/// How it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TaskTrain {
    /// How long, and what happens on the way.
    #[command(flatten)]
    #[serde(flatten)]
    pub run: RunConfig,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// Learning rate of what the method trains
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub lr: f32,
    /// Learning rate of the decoders
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub head_lr: f32,
    /// Decoupled weight decay of matrices and kernels
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub weight_decay: f32,
    /// Clip gradients to this global norm; 0 does not clip
    #[arg(long, value_name = "NORM", default_value_t = 5.0)]
    pub clip: f64,
    /// Steps over which the learning rate warms up
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub warmup_steps: u64,
    /// Weights of tasks' losses, such as semseg=1,normals=10 [default: as published, 1 of semseg and depth, 2 of parts, 5
    /// of saliency and edges, 10 of normals]
    #[arg(long, value_name = "TASK=WEIGHT", value_delimiter = ',')]
    pub task_weights: Vec<TaskWeight>,
}

impl Default for TaskTrain {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            batch: 8,
            lr: 1e-3,
            head_lr: 1e-3,
            weight_decay: 1e-4,
            clip: 5.0,
            warmup_steps: 20,
            task_weights: Vec::new(),
        }
    }
}

/// How much a task's loss counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskWeight {
    /// The task.
    pub task: DenseTask,
    /// The factor of its loss.
    pub weight: f64,
}

impl fmt::Display for TaskWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.task, self.weight)
    }
}

impl FromStr for TaskWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (task, weight) = text.split_once('=').ok_or("use TASK=WEIGHT, such as normals=10")?;
        let task = task.parse()?;
        match weight.parse() {
            Ok(weight) if (0.0..=1e4).contains(&weight) => Ok(Self { task, weight }),
            _ => Err(format!("the weight of {task} is '{weight}'; give 0 to 10000")),
        }
    }
}

impl Serialize for TaskWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl TaskTrain {
    /// The factor of a task's loss.
    #[must_use]
    pub fn weight(&self, task: DenseTask) -> f64 {
        let given = self.task_weights.iter().find(|weight| weight.task == task);
        given.map_or_else(
            || match task {
                DenseTask::Semseg | DenseTask::Depth => 1.0,
                DenseTask::Parts => 2.0,
                DenseTask::Saliency | DenseTask::Edges => 5.0,
                DenseTask::Normals => 10.0,
            },
            |weight| weight.weight,
        )
    }
}

impl TasksConfig {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self { data, augment, train, model, .. } = self;
        ranges::counts(data.max_images, train.warmup_steps)?;
        ranges::crops(augment.crop, [augment.scale_min, augment.scale_max])?;
        ranges::photometric(augment.photometric)?;
        check((0.0..1.0).contains(&model.dropout), "--dropout", model.dropout, "at least 0 and below 1")?;
        check((1..=4096).contains(&model.head_width), "--head-width", model.head_width, "1 to 4096")?;
        check((2..=1024).contains(&train.batch), "--batch", train.batch, "2 to 1024")?;
        ranges::rates([train.lr, train.head_lr, train.weight_decay])?;
        check(train.clip >= 0.0, "--clip", train.clip, "0 or more")?;
        model.settings.validate()?;
        train.run.validate()?;
        self.schedule.by_progress().validate()
    }
}
