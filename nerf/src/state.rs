//! A trainer's state as a checkpoint: all that a bit-identical continuation needs.

use crate::error::NerfError;
use crate::hollow::Switch;
use crate::model::Model;
use crate::occupancy::Light;
use crate::trainer::Trainer;
use crate::{KIND, identity};
use nerve_core::checkpoint::{self, Checkpoint, DEVICE_KEY, TensorData};
use nerve_core::params::StateTensor;
use nerve_core::run::Clock;
use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

const OCCUPANCY: &str = "occupancy.density";
/// Where light gets to; files of earlier versions, and of runs without, do not have it.
const LIGHT: &str = "occupancy.light";

impl Trainer {
    /// Writes weights, moments, occupancy, step, batch size and clock, and what a [`Model`] needs. The file is complete
    /// or not there at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), NerfError> {
        self.save_with(path, self.meta(path)?)
    }

    /// What is to be said beside the tensors.
    fn meta(&self, path: &Path) -> Result<BTreeMap<String, String>, NerfError> {
        let mut meta = identity::of(&self.model, path)?;
        meta.extend([
            ("kind".to_owned(), KIND.to_owned()),
            (DEVICE_KEY.to_owned(), self.model.device().kind().name().to_owned()),
            ("step".to_owned(), self.step_count().to_string()),
            ("rays".to_owned(), self.rays.to_string()),
            ("elapsed_ns".to_owned(), self.elapsed().as_nanos().to_string()),
        ]);
        if let Some(pruner) = &self.pruner {
            // The shortest text that reads back to the same number.
            meta.insert("gamma".to_owned(), pruner.gamma.to_string());
        }
        Ok(meta)
    }

    fn save_with(&self, path: &Path, meta: BTreeMap<String, String>) -> Result<(), NerfError> {
        let state = self.model.engine.state()?;
        let mut tensors: Vec<_> = state.iter().map(StateTensor::tensor).collect();
        let density = self.model.occupancy.density();
        tensors.push((OCCUPANCY.to_owned(), vec![density.len()], TensorData::F32(density)));
        if let Some(light) = self.model.occupancy.light() {
            let blocks = light.blocks();
            tensors.push((LIGHT.to_owned(), vec![blocks.len()], TensorData::F32(blocks)));
        }
        Ok(checkpoint::save(path, &meta, &tensors)?)
    }

    /// Takes over the state in a checkpoint of a run with the same field, to train it further.
    ///
    /// # Errors
    /// Those of [`Self::restore`], and if it was trained on other views, by name and size, or their poses or lenses were
    /// others. Pixels are not compared: photographs that were edited since are trained on as they are now.
    pub fn resume(&mut self, path: &Path) -> Result<(), NerfError> {
        let file = Checkpoint::load(path)?;
        identity::check_masks(self.config(), &file, path)?;
        identity::check_views(self.scene(), &file, path)?;
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

    /// Takes over what a checkpoint of another field says beside its values: steps, time, occupied cells; and blocks by their
    /// names. Moments start anew.
    pub(crate) fn adopt(
        &mut self,
        file: &Checkpoint,
        path: &Path,
        values: &BTreeMap<String, Vec<f32>>,
    ) -> Result<(), NerfError> {
        identity::check_scene(&identity::capture(file, path)?.frame, self.scene(), path)?;
        let rays = parse::<u64>(file, path, "rays")?;
        self.rays = usize::try_from(rays).unwrap_or(usize::MAX).clamp(1, Self::MOST_RAYS);
        self.model.restore_state(file, path)?;
        crate::distill::write(&mut *self.model.engine, values)?;
        self.model.read_cameras()?;
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
        self.loss = identity::loss(file);
        let cells = self.occupancy.density().len();
        if self.config().march.cull != Some(Switch::Off) && file.contains(LIGHT) {
            let blocks = Light::len_of(self.occupancy.bits().cascades());
            self.occupancy.restore_light(Light::restored(file.f32(LIGHT, &[blocks])?));
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::compact::{self, CompactOptions, Values};
    use crate::{NerfConfig, OpenOptions};
    use nerve_core::device::DeviceKind;
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_core::run::{Existing, RunFolder};
    use nerve_data::demo::{self, DemoConfig};
    use std::sync::Arc;

    /// Checkpoints of before they kept cameras, configuration and loss: the run's folder opens, the scene gives the rest.
    #[test]
    fn checkpoints_of_earlier_versions_open() {
        let demo = DemoConfig { train: 4, test: 1, resolution: 24, ..DemoConfig::default() };
        let scene = Arc::new(demo::scene(&demo).unwrap());
        let grid = HashGridConfig { levels: 4, log2_entries: 10, ..HashGridConfig::default() };
        let mut config = NerfConfig { grid, ..NerfConfig::default() };
        (config.train.run.steps, config.train.batch_samples) = (Some(40), 4096);
        config.cameras.refine_poses = true;
        let place = tempfile::tempdir().unwrap();
        let run = RunFolder::create(place.path().join("run"), KIND, DeviceKind::Cpu, &config, Existing::Keep)
            .unwrap();
        let mut trainer = Trainer::new(config, scene.clone(), 1).unwrap();
        (0..40).for_each(|_| assert!(trainer.step().unwrap().loss.is_finite()));
        let path = run.checkpoint_path();
        let mut meta = trainer.meta(&path).unwrap();
        for kept in ["capture", "config", "loss", "device"] {
            assert!(meta.remove(kept).is_some(), "{kept}");
        }
        trainer.save_with(&path, meta).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap().device().unwrap(), DeviceKind::Cpu);
        let options = OpenOptions { threads: 1, ..OpenOptions::default() };
        let camera = &scene.views[0].camera;
        let want = trainer.model_mut().render(camera).unwrap().colors(1.0);
        for path in [run.path(), &path] {
            let mut model = Model::open(path, &options).unwrap();
            assert_eq!(model.render(camera).unwrap().colors(1.0), want);
            assert!(model.capture().views.is_empty() && !model.is_whole() && model.pose_change().is_none());
        }
        let mut model = Model::open(&path, &options).unwrap();
        let file = place.path().join("a.compact");
        let write = |model: &mut Model, scene, values| {
            let options = CompactOptions { values, ..CompactOptions::default() };
            compact::write(model, scene, &file, &options, &mut |_, _| {}).map_err(|e| e.to_string())
        };
        let error = write(&mut model, None, Values::U8).unwrap_err();
        assert!(error.contains("--values f16") && error.contains("a.compact"), "{error}");
        write(&mut model, None, Values::F16).unwrap();
        model.attach(&scene, &path).unwrap();
        assert_eq!(model.capture(), trainer.model().capture());
        assert_eq!(model.pose_change(), trainer.model().pose_change());
        write(&mut model, Some(&*scene), Values::U8).unwrap();
        // Measured on white instead of on backgrounds of all kinds, the loss is another, of the same order.
        let (found, kept) = (model.loss.unwrap(), trainer.model().loss.unwrap());
        assert!((0.2..5.0).contains(&(found / kept)), "{found} {kept}");
        // Away from its run's folder, nothing says what it is.
        let alone = place.path().join("alone");
        std::fs::rename(&path, &alone).unwrap();
        let error = Model::open(&alone, &options).err().unwrap().to_string();
        assert!(error.contains("alone") && error.contains("its run's folder"), "{error}");
        // Training goes on with it.
        std::fs::rename(&alone, &path).unwrap();
        trainer.resume(&path).unwrap();
        assert!(trainer.step().unwrap().loss.is_finite());
    }
}
