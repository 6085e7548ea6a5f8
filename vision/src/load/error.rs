//! Errors of published weights.
use std::path::PathBuf;

use nerve_core::weights::WeightsError;

use super::LoadReport;

/// Weights that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] WeightsError),
    /// The file system failed.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A folder without weights.
    #[error(
        "{}: no model.safetensors, pytorch_model.bin or index of them; give the file with the weights", .0.display()
    )]
    NoWeights(PathBuf),
    /// A JSON file beside the weights that is broken or says something unknown.
    #[error("{}: {problem}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A name that is neither a path nor a model on the hub, or a model that could not be fetched.
    #[error("{name}: {problem}")]
    Hub {
        /// The name.
        name: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A strict load that left something out.
    #[error("{0}")]
    Incomplete(Box<LoadReport>),
    /// The graph engine failed.
    #[error(transparent)]
    Graph(#[from] nerve_core::graph::Error),
}
