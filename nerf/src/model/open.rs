//! Models from what runs leave: a run's folder, its checkpoint, a compact file.

use super::Model;
use crate::capture::Capture;
use crate::config::{Background, NerfConfig};
use crate::error::NerfError;
use crate::occupancy::Refresh;
use crate::views::TrainingViews;
use crate::{KIND, compact, identity};
use nerve_core::checkpoint::Checkpoint;
use nerve_core::device::Device;
use nerve_core::engine::Purpose;
use nerve_core::field::{COLORS, POSES};
use nerve_core::run::{RunError, RunFolder};
use nerve_data::Scene;
use std::path::Path;

/// How a model is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// What it is computed on.
    pub device: Device,
    /// Workers; 0 is one per core.
    pub threads: usize,
    /// Whether poses of views are to be fitted (see [`crate::eval`]) though its run did not learn any.
    pub fit_poses: bool,
}

impl Default for OpenOptions {
    /// On all cores of the processor.
    fn default() -> Self {
        Self { device: Device::Cpu, threads: 0, fit_poses: false }
    }
}

impl OpenOptions {
    /// The configuration of a run whose field is only looked at, with these options.
    ///
    /// # Errors
    /// If there is no such field, or it cannot be computed here.
    pub(crate) fn apply(&self, mut config: NerfConfig) -> Result<NerfConfig, NerfError> {
        config.cameras.fit_poses = self.fit_poses;
        // Any machine can look at it.
        if config.validate_on(self.device.kind()).is_err() {
            config.train.precision = None;
        }
        config.validate()?;
        config.schedule.validate()?;
        Ok(config)
    }
}

impl Model {
    /// Opens what a run has left: its folder, its checkpoint, or a compact file. Nothing else is needed, no scene and no
    /// photographs. Where the run kept an average of the weights, that is what is opened.
    ///
    /// # Errors
    /// If it is no such thing, of another kind of run, damaged, or of a field that cannot be computed here.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, NerfError> {
        if !path.is_file() {
            return Self::open_run(&RunFolder::open(path)?, options);
        }
        let file = Checkpoint::load(path)?;
        match file.meta("kind")? {
            KIND => Self::of_checkpoint(&file, path, identity::configuration(&file, path)?, options),
            compact::KIND => compact::open(path, options),
            other => Err(NerfError::Other {
                path: path.to_owned(),
                reason: format!(
                    "its kind is '{other}': give a field's run, its checkpoint, or a compact file"
                ),
            }),
        }
    }

    /// Opens a run as it was last saved.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_run(run: &RunFolder, options: &OpenOptions) -> Result<Self, NerfError> {
        if run.kind() != KIND {
            let reason = format!("its kind is '{}', and a field's is '{KIND}'", run.kind());
            return Err(NerfError::Other { path: run.config_path(), reason });
        }
        let path = run.checkpoint_path();
        if !path.exists() {
            let folder = run.path().display();
            let reason =
                format!("there is no such file, the run was never saved; `nerve resume {folder}` trains it");
            return Err(NerfError::Other { path, reason });
        }
        let config: NerfConfig = run.config()?;
        let checked = config.validate().and_then(|()| config.schedule.validate());
        checked.map_err(|error| RunError::Config { path: run.config_path(), message: error.in_file() })?;
        Self::of_checkpoint(&Checkpoint::load(&path)?, &path, config, options)
    }

    /// Of an open checkpoint of a run with this configuration.
    pub(crate) fn of_checkpoint(
        file: &Checkpoint,
        path: &Path,
        config: NerfConfig,
        options: &OpenOptions,
    ) -> Result<Self, NerfError> {
        let mut config = options.apply(config)?;
        if config.train.background == Background::Auto {
            // What it came to in training.
            let trained = identity::configuration(file, path)?;
            config.train.background = trained.train.background;
        }
        identity::check_field(&config, file, path)?;
        let average = config.train.ema;
        let capture = identity::capture(file, path)?;
        // What is learnt about cameras has a row for each that was trained on.
        let known = [POSES, COLORS].iter().find_map(|name| file.shape(name)?.first().copied());
        // Where the configuration was changed to learn about cameras, what is missing is named when it is read.
        let cameras = known.unwrap_or(capture.training.count);
        let mut model =
            Self::new(config, capture, cameras, (options.device, options.threads), Purpose::Look)?;
        model.restore_state(file, path)?;
        let step = model.step_count();
        if !Refresh::has_happened(step) && !model.capture.views.is_empty() {
            model.limit_to_seen();
        }
        model.engine.restore_weights(file, step, average)?;
        model.read_cameras()?;
        model.set_progress(model.config.train.run.progress(step, model.elapsed()));
        Ok(model)
    }

    /// Whether the file that this was opened from keeps all that can be known without its scene; those of earlier
    /// versions do not.
    pub fn is_whole(&self) -> bool {
        !self.capture.views.is_empty() && self.loss.is_some()
    }

    /// Checks that a scene lies where the one that this was trained on did, to measure on its views. Where the file at
    /// `path`, which this was opened from, is of an earlier version, what it did not keep is taken from the scene.
    ///
    /// # Errors
    /// If it lies elsewhere in the unit frame ([`Capture::place`] puts it there), or training views have other poses or lenses.
    pub fn attach(&mut self, scene: &Scene, path: &Path) -> Result<(), NerfError> {
        identity::check_attached(&self.capture, scene, path)?;
        if self.capture.views.is_empty() {
            let training = self.capture.training.clone();
            let views = TrainingViews::new(scene);
            self.capture = Capture { training, ..Capture::of(scene, &views) };
            let rows = self.poses().map_or(views.len(), |poses| poses.len() / 6);
            if rows != views.len() {
                // There are other photographs now: nothing says whose the rows are.
                self.capture.views.iter_mut().for_each(|view| view.row = None);
            }
        }
        Ok(())
    }
}
