//! A trainer's state as a checkpoint: all that a bit-identical continuation needs.

use crate::identity;
use crate::trainer::{NerfError, Trainer};
use nerve_core::checkpoint::{self, Checkpoint, TensorData};
use nerve_core::engine::TrainEngine;
use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

const OCCUPANCY: &str = "occupancy.density";

impl Trainer {
    /// Writes weights, moments, occupancy, step, batch size and clock. The file is complete or not there at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), NerfError> {
        let params = self.engine.params();
        let mut meta = BTreeMap::from([
            ("kind".to_owned(), "nerf".to_owned()),
            ("step".to_owned(), params.step.to_string()),
            ("rays".to_owned(), self.rays.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
        ]);
        meta.extend(identity::of(self));
        if let Some(pruner) = &self.pruner {
            // The shortest text that reads back to the same number.
            meta.insert("gamma".to_owned(), pruner.gamma.to_string());
        }
        let mut tensors = params.tensors();
        let density = self.occupancy.density();
        tensors.push((OCCUPANCY.to_owned(), vec![density.len()], TensorData::F32(density)));
        Ok(checkpoint::save(path, &meta, &tensors)?)
    }

    /// Takes over the state in a checkpoint of a run with the same field, to train it further.
    ///
    /// # Errors
    /// Those of [`Self::restore`], and if it was trained on other views.
    pub fn resume(&mut self, path: &Path) -> Result<(), NerfError> {
        identity::check_views(self, &Checkpoint::load(path)?, path)?;
        self.restore(path)
    }

    /// Takes over the state in a checkpoint of a run with the same field, to look at it.
    ///
    /// # Errors
    /// If the file is damaged, or of another field or scene.
    pub fn restore(&mut self, path: &Path) -> Result<(), NerfError> {
        let checkpoint = Checkpoint::load(path)?;
        identity::check_field(self, &checkpoint, path)?;
        let number = |key| parse::<u64>(&checkpoint, path, key);
        let gamma = match self.pruner {
            Some(_) => parse::<f64>(&checkpoint, path, "gamma")?,
            None => 0.0,
        };
        let step = number("step")?;
        self.rays = usize::try_from(number("rays")?).unwrap_or(usize::MAX).clamp(1, Self::MOST_RAYS);
        self.before = Duration::from_nanos(number("elapsed_ns")?);
        let cells = self.occupancy.density().len();
        self.occupancy.restore(checkpoint.f32(OCCUPANCY, &[cells])?, step);
        self.engine.params_mut().restore(&checkpoint, step)?;
        if let (Some(mean), Some(pruner)) = (self.mean_saliency(), &mut self.pruner) {
            (pruner.mean, pruner.gamma) = (mean, gamma);
        }
        self.tell_progress();
        self.last_progress = self.progress();
        Ok(())
    }
}

/// A number among the checkpoint's names and values.
fn parse<T: FromStr>(checkpoint: &Checkpoint, path: &Path, key: &'static str) -> Result<T, NerfError> {
    let text = checkpoint.meta(key)?;
    text.parse().map_err(|_| NerfError::Meta { path: path.to_owned(), key, value: text.to_owned() })
}
