//! Saving a run and going on with it: variables, moments and averages, bit for bit.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nerve_core::checkpoint::{self, Checkpoint, TensorData};
use nerve_core::graph::{change, values_of};
use nerve_data::labels::LabelSet;
use serde_json::{Value, json};

use super::{SegConfig, SegmentationError, Segmenter, Trainer};

/// The settings that shape the network, and its classes, as JSON.
const MODEL: &str = "model";
/// Pixels of each class in the training split, as JSON.
const COUNTS: &str = "class_pixels";

fn model(config: &SegConfig, classes: usize) -> Value {
    json!({ "backbone": config.model.backbone, "head_width": config.model.head_width, "classes": classes })
}

impl Trainer {
    /// Saves all that going on needs. `counts` are what the trainer was made with.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, counts: &[u64]) -> Result<(), SegmentationError> {
        let meta = BTreeMap::from([
            ("kind".to_owned(), "segmentation".to_owned()),
            ("step".to_owned(), self.step.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
            (MODEL.to_owned(), model(&self.config, self.set.classes.len()).to_string()),
            (COUNTS.to_owned(), json!(counts).to_string()),
        ]);
        let variables: Vec<_> = self
            .segmenter
            .variables()
            .all()
            .into_iter()
            .map(|(key, v)| (key, v.var.dims().to_vec(), values_of(&v.var)))
            .collect();
        let mut tensors: Vec<_> = variables
            .iter()
            .map(|(key, shape, values)| (key.clone(), shape.clone(), TensorData::F32(values)))
            .collect();
        tensors.extend(self.optimizer.tensors());
        Ok(checkpoint::save(path, &meta, &tensors)?)
    }

    /// A trainer that goes on where a checkpoint ends.
    ///
    /// # Errors
    /// If the file is damaged or of another model.
    pub fn restored(config: SegConfig, set: Arc<LabelSet>, path: &Path) -> Result<Self, SegmentationError> {
        let (segmenter, checkpoint) = opened(&config, set.classes.len(), path)?;
        let counts: Vec<u64> = parsed(&checkpoint, path, COUNTS)?;
        if counts.len() != set.classes.len() {
            return Err(other(
                path,
                format!("it counts {} classes, not {}", counts.len(), set.classes.len()),
            ));
        }
        let mut trainer = Self::with(config, set, segmenter, &counts)?;
        trainer.step = parsed(&checkpoint, path, "step")?;
        trainer.elapsed = Duration::from_nanos(parsed(&checkpoint, path, "elapsed_ns")?);
        trainer.optimizer.restore(&checkpoint, trainer.step)?;
        Ok(trainer)
    }
}

/// The segmenter of a checkpoint, to answer with; averaged weights where they were kept.
///
/// # Errors
/// If the file is damaged or of another model.
pub fn trained(config: &SegConfig, classes: usize, path: &Path) -> Result<Segmenter, SegmentationError> {
    let (segmenter, checkpoint) = opened(config, classes, path)?;
    for (key, variable) in segmenter.variables().all() {
        let name = format!("ema/{key}");
        if checkpoint.contains(&name) {
            let values = checkpoint.f32(&name, variable.var.dims())?;
            change(&variable.var, |v| v.copy_from_slice(&values))?;
        }
    }
    Ok(segmenter)
}

fn opened(
    config: &SegConfig,
    classes: usize,
    path: &Path,
) -> Result<(Segmenter, Checkpoint), SegmentationError> {
    let checkpoint = Checkpoint::load(path)?;
    let (saved, now): (Value, Value) = (parsed(&checkpoint, path, MODEL)?, model(config, classes));
    if saved != now {
        return Err(other(
            path,
            format!(
                "it is of another model: {saved}, and config.toml and the data say {now}; set them back, or train again"
            ),
        ));
    }
    let segmenter = Segmenter::new(&config.model, classes, config.train.seed)?;
    for (key, variable) in segmenter.variables().all() {
        let values = checkpoint.f32(&key, variable.var.dims())?;
        change(&variable.var, |v| v.copy_from_slice(&values))?;
    }
    Ok((segmenter, checkpoint))
}

fn other(path: &Path, reason: String) -> SegmentationError {
    SegmentationError::Other { path: path.to_owned(), reason }
}

fn parsed<T: serde::de::DeserializeOwned>(
    checkpoint: &Checkpoint,
    path: &Path,
    key: &str,
) -> Result<T, SegmentationError> {
    let text = checkpoint.meta(key)?;
    serde_json::from_str(text)
        .map_err(|e| other(path, format!("`{key}` cannot be read ({e}); take an older checkpoint")))
}

/// The step at which a checkpoint was saved.
///
/// # Errors
/// If the file is damaged or none of a segmenter.
pub fn step_of(path: &Path) -> Result<u64, SegmentationError> {
    parsed(&Checkpoint::load(path)?, path, "step")
}

/// Pixels of each class in the training split, as a checkpoint keeps them.
///
/// # Errors
/// If the file is damaged or none of a segmenter.
pub fn class_pixels(path: &Path) -> Result<Vec<u64>, SegmentationError> {
    parsed(&Checkpoint::load(path)?, path, COUNTS)
}
