//! Saving and resuming a run: what is trained and its moments, bit for bit. The frozen backbone is not saved; its
//! fingerprint is.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nerve_core::checkpoint::{self, Checkpoint, DEVICE_KEY, TensorData};
use nerve_core::device::Device;
use nerve_core::run::Clock;
use nerve_data::tasks::TaskSet;
use serde_json::json;

use super::adapter_file::{fill, other, own_values};
use super::{AdapterConfig, MultiTask, TaskSpec, TasksConfig, TasksError, Trainer, save_adapter};

/// What the checkpoint is of, as JSON.
const ADAPTER: &str = "adapter";

impl Trainer {
    /// Saves everything that resuming needs, and beside it what predicting needs: `adapter.safetensors` and
    /// `adapter.json`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TasksError> {
        let seed = self.config.train.run.seed;
        let adapter = AdapterConfig::of(self.model(), seed);
        let meta = BTreeMap::from([
            ("kind".to_owned(), super::KIND.to_owned()),
            (DEVICE_KEY.to_owned(), self.device().name().to_owned()),
            ("step".to_owned(), self.step.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
            (ADAPTER.to_owned(), json!(adapter).to_string()),
        ]);
        let values = own_values(self.model());
        let mut tensors: Vec<_> =
            values.iter().map(|(key, shape, v)| (key.clone(), shape.clone(), TensorData::F32(v))).collect();
        tensors.extend(self.stepper.optimizer().tensors());
        checkpoint::save(path, &meta, &tensors)?;
        match path.parent() {
            Some(folder) => save_adapter(self.model(), seed, folder),
            None => Ok(()),
        }
    }

    /// A trainer that resumes from a checkpoint.
    ///
    /// # Errors
    /// If the file is damaged or of another model, or the backbone's weights have changed.
    pub fn restored(
        config: TasksConfig,
        set: Arc<TaskSet>,
        path: &Path,
        device: Device,
    ) -> Result<Self, TasksError> {
        let checkpoint = Checkpoint::load(path)?;
        let model = opened(&config, &TaskSpec::of(&set), &checkpoint, path, device)?;
        let mut trainer = Self::with(config, set, model)?;
        trainer.step = parsed(&checkpoint, path, "step")?;
        trainer.clock = Clock::at(Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?));
        let step = trainer.step;
        trainer.stepper.optimizer_mut().restore(&checkpoint, step)?;
        Ok(trainer)
    }
}

/// The model of a checkpoint, for inference.
///
/// # Errors
/// If the file is damaged or of another model, or the backbone's weights have changed.
pub fn restored(config: &TasksConfig, path: &Path, device: Device) -> Result<MultiTask, TasksError> {
    let checkpoint = Checkpoint::load(path)?;
    let saved: AdapterConfig = parsed(&checkpoint, path, ADAPTER)?;
    opened(config, &saved.tasks, &checkpoint, path, device)
}

fn opened(
    config: &TasksConfig,
    tasks: &[TaskSpec],
    checkpoint: &Checkpoint,
    path: &Path,
    device: Device,
) -> Result<MultiTask, TasksError> {
    let saved: AdapterConfig = parsed(checkpoint, path, ADAPTER)?;
    if saved.tasks != tasks {
        let names = |tasks: &[TaskSpec]| {
            let one = |t: &TaskSpec| match t.classes.len() {
                0 => t.task.to_string(),
                n => format!("{} of {n} classes", t.task),
            };
            tasks.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        return Err(other(
            path,
            format!(
                "it is of other tasks or classes ({}) than the data and config.toml ({}); give the data that it was \
                 trained on, or train again",
                names(&saved.tasks),
                names(tasks)
            ),
        ));
    }
    let mut was = saved.model.clone();
    // The same backbone may lie elsewhere now: its fingerprint tells.
    was.weights.clone_from(&config.model.weights);
    if was != config.model {
        return Err(other(
            path,
            format!(
                "it holds another model ({} of {}, {} channels) than config.toml says ({} of {}, {} channels) or other \
                 settings of the method; set them back, or train again",
                was.method,
                was.backbone,
                was.head_width,
                config.model.method,
                config.model.backbone,
                config.model.head_width
            ),
        ));
    }
    let model = MultiTask::new(&config.model, tasks, saved.seed, device)?;
    fill(&model, checkpoint, &saved, path)?;
    Ok(model)
}

fn parsed<T: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    path: &Path,
    key: &str,
) -> Result<T, TasksError> {
    let text = checkpoint.meta(key)?;
    serde_json::from_str(text)
        .map_err(|e| other(path, format!("`{key}` cannot be read ({e}); take an older checkpoint")))
}

/// The step at which a checkpoint was saved, and the training time until then.
///
/// # Errors
/// If the file is damaged or of another kind of run.
pub fn reached(path: &Path) -> Result<(u64, Duration), TasksError> {
    let checkpoint = Checkpoint::load(path)?;
    let elapsed = Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?);
    Ok((parsed(&checkpoint, path, "step")?, elapsed))
}
