//! A trainer's state as a checkpoint: all that a bit-identical continuation needs.

use crate::error::NerfError;
use crate::model::Model;
use crate::trainer::Trainer;
use crate::{KIND, identity};
use nerve_core::checkpoint::{self, Checkpoint, TensorData};
use nerve_core::params::StateTensor;
use nerve_core::run::Clock;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

const OCCUPANCY: &str = "occupancy.density";

impl Trainer {
    /// Writes weights, moments, occupancy, step, batch size and clock, and what a [`Model`] needs. The file is complete
    /// or not there at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), NerfError> {
        let mut meta = identity::of(&self.model, path)?;
        meta.extend([
            ("kind".to_owned(), KIND.to_owned()),
            ("step".to_owned(), self.step_count().to_string()),
            ("rays".to_owned(), self.rays.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
        ]);
        if let Some(pruner) = &self.pruner {
            // The shortest text that reads back to the same number.
            meta.insert("gamma".to_owned(), pruner.gamma.to_string());
        }
        let state = self.model.engine.state()?;
        let mut tensors: Vec<_> = state.iter().map(StateTensor::tensor).collect();
        let density = self.model.occupancy.density();
        tensors.push((OCCUPANCY.to_owned(), vec![density.len()], TensorData::F32(density)));
        Ok(checkpoint::save(path, &meta, &tensors)?)
    }

    /// Takes over the state in a checkpoint of a run with the same field, to train it further.
    ///
    /// # Errors
    /// Those of [`Self::restore`], and if it was trained on other views.
    pub fn resume(&mut self, path: &Path) -> Result<(), NerfError> {
        identity::check_views(self.scene(), &Checkpoint::load(path)?, path)?;
        self.restore(path)
    }

    /// Takes over the state in a checkpoint of a run with the same field.
    ///
    /// # Errors
    /// If the file is damaged, or of another field or scene.
    pub fn restore(&mut self, path: &Path) -> Result<(), NerfError> {
        let file = Checkpoint::load(path)?;
        identity::check_field(self.config(), &file, path)?;
        identity::check_scene(&identity::capture(&file, path)?.frame, self.scene(), path)?;
        let rays = parse::<u64>(&file, path, "rays")?;
        self.rays = usize::try_from(rays).unwrap_or(usize::MAX).clamp(1, Self::MOST_RAYS);
        self.model.restore_state(&file, path)?;
        let step = self.step_count();
        self.model.engine.restore(&file, step)?;
        self.model.read_cameras()?;
        if let (Some(mean), Some(pruner)) = (self.model.mean_saliency()?, &mut self.pruner) {
            (pruner.mean, pruner.gamma) = (mean, self.model.gamma);
        }
        self.tell_progress();
        self.last_progress = self.progress();
        Ok(())
    }
}

impl Model {
    /// Takes over what a checkpoint says beside the values: steps, time and pressure behind it, and the occupied cells.
    pub(crate) fn restore_state(&mut self, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
        if self.has_saliency() {
            self.gamma = parse(file, path, "gamma")?;
        }
        let step = parse(file, path, "step")?;
        self.clock = Clock::at(Duration::from_nanos(parse(file, path, "elapsed_ns")?));
        let cells = self.occupancy.density().len();
        self.occupancy.restore(file.f32(OCCUPANCY, &[cells])?, step);
        self.engine.set_step_count(step);
        Ok(())
    }
}

/// A number among the checkpoint's names and values.
pub(crate) fn parse<T: FromStr>(file: &Checkpoint, path: &Path, key: &'static str) -> Result<T, NerfError> {
    let text = file.meta(key)?;
    text.parse().map_err(|_| NerfError::Meta { path: path.to_owned(), key, value: text.to_owned() })
}
