//! Errors of several tasks.
use std::path::PathBuf;

use nerve_core::checkpoint::CheckpointError;
use nerve_core::metrics::segmentation::LabelMetricError;
use nerve_core::settings::SettingError;
use nerve_data::labels::LabelError;

use crate::adaptation::MethodName;
use crate::load::{LoadError, LoadReport};
use crate::segmentation::BackboneName;

/// An error of several tasks; its message names the file or the setting, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TasksError {
    /// A setting that is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Images or labels that cannot be used.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// An image that cannot be read.
    #[error(transparent)]
    Image(#[from] nerve_data::image::ImageError),
    /// Images that cannot be augmented.
    #[error(transparent)]
    Augment(#[from] nerve_data::augment::AugmentError),
    /// Weights that cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Weights that are not those of the backbone.
    #[error(
        "{report}\nare these the weights of {backbone}? --backbone says which it is; `nerve models` lists them"
    )]
    Weights {
        /// The backbone that was to be loaded.
        backbone: BackboneName,
        /// What was found in the file, and what was not.
        report: Box<LoadReport>,
    },
    /// A checkpoint or adapter that cannot be written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file that holds something else.
    #[error("{}: {reason}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used, and what to do.
        reason: String,
    },
    /// A method that does not suit the backbone, or settings that do not suit the method.
    #[error("--method {method}: {reason}")]
    Method {
        /// The method.
        method: MethodName,
        /// Why, and what to do.
        reason: String,
    },
    /// The loss is not finite.
    #[error(
        "the loss is not finite after step {step}: a lower --lr (now {rate}) or --clip usually helps; the last checkpoint stays"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The learning rate.
        rate: f32,
    },
    /// The graph engine failed.
    #[error("{0}")]
    Graph(#[from] nerve_core::graph::Error),
    /// Labels that cannot be compared.
    #[error(transparent)]
    Metrics(#[from] LabelMetricError),
    /// The thread that reads images is gone.
    #[error("the thread that reads images ended early; this is a bug, please report it")]
    Reader,
}
