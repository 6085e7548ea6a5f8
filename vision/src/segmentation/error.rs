//! What can go wrong in segmentation.
use std::path::PathBuf;

use nerve_core::checkpoint::CheckpointError;
use nerve_core::metrics::segmentation::LabelMetricError;
use nerve_core::settings::SettingError;
use nerve_data::labels::LabelError;

use super::BackboneName;
use crate::load::{LoadError, LoadReport};

/// What can go wrong; every message names the file or the setting, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentationError {
    /// A setting that is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Pictures or labels that cannot be used.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A picture that cannot be read.
    #[error(transparent)]
    Image(#[from] nerve_data::image::ImageError),
    /// Pictures that cannot be varied.
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
        /// What was to be filled.
        backbone: BackboneName,
        /// What was found and what was not.
        report: Box<LoadReport>,
    },
    /// A checkpoint that cannot be written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of something else.
    #[error("{}: {reason}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Why it cannot be taken.
        reason: String,
    },
    /// The loss is no number any more.
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
    #[error("the thread that reads pictures ended too early")]
    Reader,
}
