//! The folder of a run.
//!
//! | entry                    | content                                                          |
//! |--------------------------|------------------------------------------------------------------|
//! | `config.toml`            | `kind`, `version` of the program, `device`, the resolved settings |
//! | `checkpoint.safetensors` | weights, moments, step; see [`checkpoint`](crate::checkpoint)     |
//! | `metrics.jsonl`          | see [`MetricsLog`](super::MetricsLog)                             |
//! | `eval.json`              | the last evaluation                                              |
//! | `confusion.csv`, `.png`  | a segmenter's confusion matrix, of the last evaluation           |
//! | `renders/`               | pictures                                                         |
//! | `recording.rrd`          | the viewer's recording, if saved                                 |
//! | `.lock`                  | held by the process that trains                                  |
//!
//! A folder is a run if and only if it has a `config.toml` with a `kind`. That file appears last when a run is
//! created and goes first when one is overwritten, whole files replace old ones atomically, so a run folder is
//! resumable after a kill at any moment.
use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    RunError,
    atomic::remove_leftovers,
    lock::{Lock, Refusal},
    write_atomic,
};
use crate::device::DeviceKind;

/// What stands in `config.toml` before the settings.
const HEADER: [&str; 3] = ["kind", "version", "device"];
const CONFIG: &str = "config.toml";
const CHECKPOINT: &str = "checkpoint.safetensors";
const METRICS: &str = "metrics.jsonl";
const EVAL: &str = "eval.json";
/// Of a segmenter, beside what was measured.
const CONFUSION: [&str; 2] = ["confusion.csv", "confusion.png"];
const RENDERS: &str = "renders";
const RECORDING: &str = "recording.rrd";
const LOCK: &str = ".lock";
/// What overwriting removes, the file that makes it a run first. Anything else in the folder is the user's.
const ENTRIES: [&str; 8] =
    [CONFIG, CHECKPOINT, METRICS, EVAL, CONFUSION[0], CONFUSION[1], RENDERS, RECORDING];

/// What to do about a run that is already there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    #[default]
    Keep,
    /// Remove its files; others in the folder stay.
    Overwrite,
}

/// A run's folder on disk. One process at a time trains in it: the one that created it or has called
/// [`RunFolder::lock`], until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    kind: String,
    version: String,
    device: DeviceKind,
    lock: Option<Arc<Lock>>,
}

impl RunFolder {
    /// Makes `path` (and its parents) the folder of a new run of this `kind`, such as `nerf`, takes it for this process
    /// and saves its resolved settings. `device` is what computes it; `config` is a struct or a map without fields `kind`,
    /// `version` and `device`.
    ///
    /// # Errors
    /// [`RunError::Exists`] when files of a run are there and `existing` says to keep them;
    /// [`RunError::NotARun`] when `config.toml` is not one of ours, whatever `existing` says;
    /// [`RunError::Busy`] when another process trains in it;
    /// [`RunError::Config`] when TOML cannot hold the settings; [`RunError::Io`].
    pub fn create(
        path: impl Into<PathBuf>,
        kind: &str,
        device: DeviceKind,
        config: &impl Serialize,
        existing: Existing,
    ) -> Result<Self, RunError> {
        let path = path.into();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut run = Self { path, kind: kind.to_owned(), version, device, lock: None };
        let text = run.config_text(config)?;
        Self::check(&run.path, existing)?;
        fs::create_dir_all(&run.path).map_err(unwritable(&run.path))?;
        run.lock()?;
        if existing == Existing::Overwrite {
            run.clear()?;
        }
        let renders = run.renders_dir();
        fs::create_dir_all(&renders).map_err(unwritable(&renders))?;
        run.write_config_text(&text)?;
        Ok(run)
    }

    /// Whether a run can be created there, as far as what is there says; nothing is made.
    ///
    /// # Errors
    /// [`RunError::Exists`], [`RunError::NotAFolder`], or whatever is wrong with a run that is to be overwritten.
    pub fn check(path: &Path, existing: Existing) -> Result<(), RunError> {
        if let Some(file) = path.ancestors().find(|part| part.exists() && !part.is_dir()) {
            return Err(RunError::NotAFolder { path: path.to_owned(), file: file.to_owned() });
        }
        let occupied = ENTRIES.iter().find(|entry| occupied(&path.join(entry)));
        match (existing, occupied) {
            (Existing::Keep, Some(&found)) => Err(RunError::Exists { path: path.to_owned(), found }),
            (Existing::Overwrite, _) if path.join(CONFIG).exists() => Self::open(path).map(drop),
            _ => Ok(()),
        }
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// [`RunError::NotARun`] says what is missing; [`RunError::Config`] when `config.toml` is not TOML.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        let (kind, version, device) = (String::new(), String::new(), DeviceKind::default());
        let mut run = Self { path, kind, version, device, lock: None };
        let missing = |missing: String| RunError::NotARun { path: run.path.clone(), missing };
        if !run.path.exists() {
            return Err(missing("it does not exist".into()));
        }
        if !run.path.is_dir() {
            let beside = run.path.parent().filter(|folder| folder.join(CONFIG).is_file());
            return Err(missing(match beside {
                Some(folder) => format!("it is a file of the run {}", folder.display()),
                None => "it is a file".into(),
            }));
        }
        let table = run.read_config()?;
        let field = |name: &str| match table.get(name) {
            Some(toml::Value::String(value)) => Ok(value.clone()),
            _ => Err(missing(format!("its {CONFIG} has no text field '{name}'"))),
        };
        let (kind, version) = (field("kind")?, field("version")?);
        // Earlier versions record no device: there was only the processor.
        let device =
            if table.contains_key("device") { field("device")?.parse() } else { Ok(DeviceKind::Cpu) };
        let device = device.map_err(|e| run.config_error(&format!("device: {e}")))?;
        (run.kind, run.version, run.device) = (kind, version, device);
        Ok(run)
    }

    /// Takes the folder for this process to train in.
    ///
    /// # Errors
    /// [`RunError::Busy`] when another process trains in it; [`RunError::Unlocked`] when the folder cannot be written;
    /// those of [`Self::check_links`].
    pub fn lock(&mut self) -> Result<(), RunError> {
        if self.lock.is_some() {
            return Ok(());
        }
        self.check_links()?;
        let file = self.path.join(LOCK);
        let lock = Lock::take(&file).map_err(|refusal| match refusal {
            Refusal::Held(holder) => RunError::Busy { path: self.path.clone(), holder },
            Refusal::Io(error) => RunError::Unlocked { path: file.clone(), error },
        })?;
        self.lock = Some(Arc::new(lock));
        Ok(())
    }

    /// Finds links where something is written in place; whole files replace links and leave alone what these lead to.
    ///
    /// # Errors
    /// [`RunError::Link`].
    pub fn check_links(&self) -> Result<(), RunError> {
        let mut entries = [LOCK, METRICS, RENDERS, RECORDING].into_iter().map(|entry| self.path.join(entry));
        entries.find(|path| path.is_symlink()).map_or(Ok(()), |path| Err(RunError::Link { path }))
    }

    /// Reserves a folder for a run called `name` under `parent`: `name`, else `name-2`, `name-3` ... The folder
    /// is made, so that no other process gets the same.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be made.
    pub fn next_free(parent: impl AsRef<Path>, name: &str) -> Result<PathBuf, RunError> {
        let parent = parent.as_ref();
        fs::create_dir_all(parent).map_err(unwritable(parent))?;
        let mut path = parent.join(name);
        let mut n = 1u64;
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    n += 1;
                    path = parent.join(format!("{name}-{n}"));
                }
                Err(error) => return Err(io_error(&path)(error)),
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of run, such as `nerf`: what `resume`, `eval` and `export` dispatch on.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of the program that made the run.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The kind of device that it was last trained on.
    #[must_use]
    pub fn device(&self) -> DeviceKind {
        self.device
    }

    /// Goes on on another kind of device: [`Self::write_config`] records it.
    pub fn set_device(&mut self, device: DeviceKind) {
        self.device = device;
    }

    /// The run's settings.
    ///
    /// # Errors
    /// [`RunError::Config`] names the field that does not fit `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, RunError> {
        let mut table = self.read_config()?;
        HEADER.iter().for_each(|field| drop(table.remove(*field)));
        let remedy =
            format!("correct it, or remove the run and train again (nerve {} wrote it)", self.version);
        table.try_into().map_err(|e| self.config_error(&format!("{}; {remedy}", in_one_line(&e, ""))))
    }

    /// Replaces the run's settings: a run that is resumed for longer has other ones than it began with.
    ///
    /// # Errors
    /// [`RunError::Config`] when TOML cannot hold them; [`RunError::Io`].
    pub fn write_config(&self, config: &impl Serialize) -> Result<(), RunError> {
        self.write_config_text(&self.config_text(config)?)
    }

    /// `config.toml`.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// `checkpoint.safetensors`; there is none before the first checkpoint.
    #[must_use]
    pub fn checkpoint_path(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// `metrics.jsonl`.
    #[must_use]
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// `eval.json`.
    #[must_use]
    pub fn eval_path(&self) -> PathBuf {
        self.path.join(EVAL)
    }

    /// `renders/`, which exists.
    #[must_use]
    pub fn renders_dir(&self) -> PathBuf {
        self.path.join(RENDERS)
    }

    /// `recording.rrd`, where a viewer's recording goes if it is saved.
    #[must_use]
    pub fn recording_path(&self) -> PathBuf {
        self.path.join(RECORDING)
    }

    fn config_text(&self, config: &impl Serialize) -> Result<String, RunError> {
        let settings = toml::to_string_pretty(config).map_err(|e| self.config_error(&e))?;
        let kind = toml::Value::from(self.kind.as_str());
        let Self { version, device, .. } = self;
        let text = format!("kind = {kind}\nversion = \"{version}\"\ndevice = \"{device}\"\n\n{settings}");
        // Settings with a field of the same name would make the file unreadable.
        text.parse::<toml::Table>().map_err(|e| self.config_error(&e))?;
        Ok(text)
    }

    fn write_config_text(&self, text: &str) -> Result<(), RunError> {
        let path = self.config_path();
        write_atomic(&path, text.as_bytes()).map_err(io_error(&path))
    }

    fn read_config(&self) -> Result<toml::Table, RunError> {
        let file = self.config_path();
        match fs::read_to_string(&file) {
            Ok(text) => text
                .parse()
                .map_err(|e| self.config_error(&format!("{}; correct the file", in_one_line(&e, &text)))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(RunError::NotARun { path: self.path.clone(), missing: format!("it has no {CONFIG}") })
            }
            Err(error) => Err(io_error(&file)(error)),
        }
    }

    fn config_error(&self, message: &impl ToString) -> RunError {
        RunError::Config { path: self.config_path(), message: message.to_string() }
    }

    /// Removes a run's entries and what killed writers left of them.
    fn clear(&self) -> Result<(), RunError> {
        for entry in ENTRIES {
            let path = self.path.join(entry);
            let removed = match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            removed.and_then(|()| remove_leftovers(&path)).or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(io_error(&path)(error)),
            })?;
        }
        Ok(())
    }
}

/// An error of TOML in one line: with the line of `text` that it is in, or with the field.
fn in_one_line(error: &toml::de::Error, text: &str) -> String {
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) if !text.is_empty() => {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            format!("line {}: {message}", before.matches('\n').count() + 1)
        }
        _ => error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" "),
    }
}

/// Whether a run's entry holds anything. An empty folder is what a killed creation may leave.
fn occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> RunError + '_ {
    move |error| RunError::Unwritable { path: path.to_owned(), error }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> RunError + '_ {
    move |error| RunError::Io { path: path.to_owned(), error }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
