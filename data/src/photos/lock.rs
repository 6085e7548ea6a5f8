//! The lock of a work folder: one process uses it at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process;

use super::PhotosError;

/// The file that is locked.
pub(super) const LOCK: &str = ".lock";

/// A work folder locked by this process: an advisory lock on [`LOCK`] in it, as run folders have. The system releases it
/// when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the folder.
    ///
    /// # Errors
    /// [`PhotosError::Busy`] if another process has it, [`PhotosError::Io`].
    pub fn take(work: &Path) -> Result<Self, PhotosError> {
        let path = work.join(LOCK);
        let io = |source| PhotosError::Io { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(io)?;
                write!(file, "{}", process::id()).map_err(io)?;
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Windows refuses to read what is locked.
                let read = file.rewind().and_then(|()| Read::take(&file, 20).read_to_string(&mut text));
                let holder = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(PhotosError::Busy { work: work.to_owned(), holder });
            }
            // Some file systems cannot lock: then nothing guards the folder, which is no reason not to work.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { _file: file })
    }
}
