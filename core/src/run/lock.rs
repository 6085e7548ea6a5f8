//! One process trains a run at a time.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
    process,
};

/// A run's folder taken by this process: an advisory lock on the file `.lock` in it, which holds the process's id for
/// others to name, and, where the system can lock folders, one on the folder itself, which outlives a removed file. The
/// system lets go of both when the process ends, however it ends, so a lock is never stale; the file stays.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    _folder: Option<File>,
}

/// Why a folder cannot be taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another process has it: its id, where that can be read.
    Held(Option<u32>),
    /// The file system failed.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Lock {
    /// Takes the folder that the file `path` lies in.
    pub(super) fn take(path: &Path) -> Result<Self, Refusal> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let folder = path.parent().and_then(|folder| File::open(folder).ok());
        if let Some(folder) = &folder
            && let Err(TryLockError::WouldBlock) = folder.try_lock()
            && file.try_lock().is_ok()
        {
            // The file that named the holder is gone.
            return Err(Refusal::Held(None));
        }
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                write!(file, "{}", process::id())?;
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Windows refuses to read what is locked.
                let read = file.rewind().and_then(|()| Read::take(&file, 20).read_to_string(&mut text));
                return Err(Refusal::Held(read.ok().and_then(|_| text.trim().parse().ok())));
            }
            // Some file systems cannot lock: then nothing guards the folder, which is no reason not to train.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { _file: file, _folder: folder })
    }
}
