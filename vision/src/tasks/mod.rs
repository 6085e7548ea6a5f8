//! Several dense tasks from one frozen backbone: training, evaluation and prediction with any method of
//! [`crate::adaptation`].
//!
//! A [`MultiTask`] model is a frozen backbone, what a method trains beside it, and a [`Decoder`] a task. Only what is
//! trained is saved ([`save_adapter`]), with a fingerprint of the backbone that it belongs to. [`MultiTask::served`] is the
//! form to predict with: what the method generates is made once, so that a pass costs the backbone and its adapters.
mod adapter_file;
mod batches;
pub mod comparison;
mod config;
mod decoder;
mod error;
mod evaluate;
mod losses;
mod model;
mod picture;
mod predict;
mod run;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod trainer;

pub use adapter_file::{AdapterConfig, TaskSpec, load_adapter, save_adapter};
pub use config::{TaskAugment, TaskData, TaskModel, TaskTrain, TaskWeight, TasksConfig};
pub use decoder::Decoder;
pub use error::TasksError;
pub use evaluate::{Evaluation, TaskScore, evaluate};
pub use model::{MultiTask, Served};
pub use picture::{montage, picture, truth_picture};
pub use predict::{TaskPrediction, predict};
pub use run::show;
pub use state::{reached, restored};
pub use trainer::Trainer;

/// The kind of its runs, as their configuration and checkpoints name it.
pub const KIND: &str = "tasks";
