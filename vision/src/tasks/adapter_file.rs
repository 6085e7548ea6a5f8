//! What is trained, in a file of its own: `adapter.safetensors`, and `adapter.json` that says what it is for.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nerve_core::checkpoint::{self, Checkpoint, TensorData};
use nerve_core::device::Device;
use nerve_core::graph::{to_vec, update_in_place};
use nerve_core::run::write_atomic;
use nerve_data::labels::Class;
use nerve_data::tasks::{DenseTask, TaskSet};
use serde::{Deserialize, Serialize};

use super::{MultiTask, TaskModel, TasksError};
use crate::adaptation::BACKBONE;

/// The weights.
pub(super) const WEIGHTS: &str = "adapter.safetensors";
/// What they are of.
pub(super) const CONFIG: &str = "adapter.json";

/// A task of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Which.
    pub task: DenseTask,
    /// Its classes; none of tasks without.
    #[serde(default)]
    pub classes: Vec<Class>,
}

impl TaskSpec {
    /// Those of a set.
    #[must_use]
    pub fn of(set: &TaskSet) -> Vec<Self> {
        set.tasks.iter().map(|t| Self { task: t.task, classes: t.classes.clone() }).collect()
    }
}

/// What an adapter is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// The model; `weights` is where the backbone's were.
    pub model: TaskModel,
    /// The tasks, in the order of the outputs.
    pub tasks: Vec<TaskSpec>,
    /// The seed of the run, of which a backbone without weights was drawn.
    pub seed: u64,
    /// Of the backbone, in hexadecimal digits.
    pub fingerprint: String,
}

impl AdapterConfig {
    pub(super) fn of(model: &MultiTask, seed: u64) -> Self {
        Self {
            model: model.config().clone(),
            tasks: model.tasks().to_vec(),
            seed,
            fingerprint: format!("{:016x}", model.fingerprint()),
        }
    }
}

/// Names, shapes and values of all that is not the frozen backbone.
pub(super) fn own_values(model: &MultiTask) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let prefix = format!("{BACKBONE}.");
    let own = model.variables().all().into_iter().filter(|(key, _)| !key.starts_with(&prefix));
    own.map(|(key, v)| (key, v.var.dims().to_vec(), to_vec(&v.var))).collect()
}

/// Fills all that is not the frozen backbone, after checking that the backbone is that of the file.
pub(super) fn fill(
    model: &MultiTask,
    file: &Checkpoint,
    saved: &AdapterConfig,
    path: &Path,
) -> Result<(), TasksError> {
    let own = AdapterConfig::of(model, saved.seed);
    if own.fingerprint != saved.fingerprint {
        let named = |weights: &Option<PathBuf>| match weights {
            Some(path) => path.display().to_string(),
            None => "random weights".to_owned(),
        };
        return Err(other(
            path,
            format!(
                "it adapts another backbone: {} with the fingerprint {} ({}), and this one has {} ({}); give its \
                 weights with --weights",
                saved.model.backbone,
                saved.fingerprint,
                named(&saved.model.weights),
                own.fingerprint,
                named(&own.model.weights),
            ),
        ));
    }
    for (key, shape, _) in own_values(model) {
        let values = file.f32(&key, &shape)?;
        if let Some(variable) = model.variables().get(&key) {
            update_in_place(&variable.var, |v| v.copy_from_slice(&values))?;
        }
    }
    Ok(())
}

pub(super) fn other(path: &Path, reason: impl Into<String>) -> TasksError {
    TasksError::Other { path: path.to_owned(), reason: reason.into() }
}

/// Writes what is trained to a folder: both files.
///
/// # Errors
/// If they cannot be written.
pub fn save_adapter(model: &MultiTask, seed: u64, folder: &Path) -> Result<(), TasksError> {
    let values = own_values(model);
    let tensors: Vec<_> =
        values.iter().map(|(key, shape, v)| (key.clone(), shape.clone(), TensorData::F32(v))).collect();
    let config = AdapterConfig::of(model, seed);
    let meta = BTreeMap::from([
        ("kind".to_owned(), "adapter".to_owned()),
        ("fingerprint".to_owned(), config.fingerprint.clone()),
    ]);
    checkpoint::save(&folder.join(WEIGHTS), &meta, &tensors)?;
    let path = folder.join(CONFIG);
    let text = serde_json::to_string_pretty(&config).map_err(|e| other(&path, e.to_string()))?;
    write_atomic(&path, text.as_bytes()).map_err(|e| other(&path, format!("it cannot be written: {e}")))
}

/// The model of an adapter's folder. `weights` is where the backbone's are now, if not where they were.
///
/// # Errors
/// If a file is missing or damaged, or the backbone's weights are not those that it adapts.
pub fn load_adapter(folder: &Path, weights: Option<&Path>, device: Device) -> Result<MultiTask, TasksError> {
    let path = folder.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        other(&path, format!("it cannot be read: {e}; give the folder of an adapter or a run"))
    })?;
    let saved: AdapterConfig = serde_json::from_str(&text)
        .map_err(|e| other(&path, format!("{e}; it is no adapter's, or of another version of nerve")))?;
    let mut config = saved.model.clone();
    if let Some(weights) = weights {
        config.weights = Some(weights.to_owned());
    }
    let model = MultiTask::new(&config, &saved.tasks, saved.seed, device)?;
    let path = folder.join(WEIGHTS);
    fill(&model, &Checkpoint::load(&path)?, &saved, &path)?;
    Ok(model)
}
