//! What can go wrong with a field: in training, in opening, in measuring.

use nerve_core::checkpoint::CheckpointError;
use nerve_core::engine::EngineError;
use nerve_core::field::SpecError;
use nerve_core::metrics::MetricError;
use nerve_core::metrics::lpips::LpipsError;
use nerve_core::run::RunError;
use nerve_core::settings::SettingError;
use nerve_data::write::WriteError;
use std::path::PathBuf;

/// What can go wrong; every message names the file or the setting, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum NerfError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{scene}: no view for {what}; see `nerve inspect`, and --holdout if the files give no split")]
    NoViews { what: &'static str, scene: PathBuf },
    #[error(
        "{scene}: --depth needs depth maps or structure-from-motion points, and the scene has no depth maps and no points \
         with the views that see them; leave --depth out"
    )]
    NoDepth { scene: PathBuf },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Engine(EngineError),
    #[error("{path}: `{key}` is {value:?}, not a number: the checkpoint is damaged, take an older one")]
    Meta { path: PathBuf, key: &'static str, value: String },
    #[error("{path}: {reason}")]
    Other { path: PathBuf, reason: String },
    #[error("cannot start {threads} worker threads: {source}")]
    Threads { threads: usize, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path}: cannot create the folder: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{path}: {reason}")]
    Compact { path: PathBuf, reason: String },
    #[error("{path}: cannot be written: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be drawn: {reason}")]
    Drawing { path: PathBuf, reason: String },
    #[error("entropy coding failed: {0}")]
    Codec(std::io::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error(transparent)]
    Lpips(#[from] LpipsError),
    #[error(
        "the loss is not finite at step {step}: the learning rate is probably too high (--lr {lr}); \
         the last checkpoint is from before"
    )]
    Diverged { step: u64, lr: f32 },
}

impl NerfError {
    /// Whether it is that the device cannot run the field, which another could.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Unsupported { .. }))
    }
}

impl From<EngineError> for NerfError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::State(error) => error.into(),
            EngineError::Spec(SpecError::Grid(error)) => error.into(),
            error => Self::Engine(error),
        }
    }
}
