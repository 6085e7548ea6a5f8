//! What a field or a run is given by on the command line: a run's folder, its checkpoint, or a file that stands alone.

use crate::context::Context;
use crate::devices;
use nerve_core::checkpoint::Checkpoint;
use nerve_core::run::RunFolder;
use nerve_nerf::{Model, OpenOptions};
use nerve_vision::segmentation;
use std::path::{Path, PathBuf};

/// What was given.
pub enum Given {
    /// A run, by its folder or by the checkpoint in it.
    Run(RunFolder),
    /// A field in a file of its own: a compact file, or a checkpoint away from its run.
    Field(PathBuf),
}

impl Given {
    /// What a path leads to.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        if !path.is_file() {
            return Ok(Self::Run(RunFolder::open(path)?));
        }
        let file = Checkpoint::load(path)?;
        let kind = file.meta("kind")?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = RunFolder::open(folder).ok().filter(|run| run.kind() == kind);
        if let Some(run) = beside.filter(|run| run.checkpoint_path().file_name() == path.file_name()) {
            return Ok(Self::Run(run));
        }
        anyhow::ensure!(
            kind != segmentation::KIND,
            "{}: a segmenter's checkpoint is read in its run's folder, beside its config.toml: put it back there, and give \
             the folder",
            path.display()
        );
        Ok(Self::Field(path.to_owned()))
    }

    /// The file that holds what was learned.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Run(run) => run.checkpoint_path(),
            Self::Field(file) => file.clone(),
        }
    }

    /// Its field, to be looked at, with poses fitted to photographs if that is wished.
    pub fn model(&self, context: &Context, fit_poses: bool) -> anyhow::Result<Model> {
        devices::to_look(context, |device| {
            let options = OpenOptions { device, threads: context.common.threads, fit_poses };
            match self {
                Self::Run(run) => Model::open_run(run, &options),
                Self::Field(file) => Model::open(file, &options),
            }
        })
    }

    /// What can be done where its data is not at `place`, which is the setting `key`.
    pub fn data_remedy(&self, key: &str, place: &Path) -> String {
        let back = match place.as_os_str().is_empty() {
            true => String::new(),
            false => format!("put the {key} back at {}, or ", place.display()),
        };
        match self {
            Self::Run(run) => {
                format!("{back}set `{key}` in {} to where it is now", run.config_path().display())
            }
            Self::Field(file) => {
                format!("{back}say where it is now: nerve eval {} --scene PATH", file.display())
            }
        }
    }
}
