//! What can go wrong with a run's folder.
use std::io;
use std::path::PathBuf;

/// A run folder that cannot be created, opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is a run already, or files that would be mixed up with it.
    #[error(
        "{} already holds {found}: give another --out, resume that run, or replace it with --overwrite",
        path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
        /// The entry in the way.
        found: &'static str,
    },
    /// A file stands where the folder, or one on the way to it, should be.
    #[error("{}: a file, {}, is where the run's folder would be; give another --out", path.display(), file.display())]
    NotAFolder {
        /// The folder.
        path: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// The folder cannot be made.
    #[error("{}: cannot be made or written: {error}; give another --out", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The folder is no run.
    #[error("{} is not a run folder: {missing}; give the folder that `nerve train` made", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// Another process trains it.
    #[error(
        "{} is being trained by another process{}: wait for it, stop it, or give another --out",
        path.display(), holder.map_or(String::new(), |id| format!(" (id {id})"))
    )]
    Busy {
        /// The folder.
        path: PathBuf,
        /// That process's id, where it can be read.
        holder: Option<u32>,
    },
    /// A link stands where the run writes: a run from a stranger must not lead its writer to another's files.
    #[error("{}: a symbolic link, which runs do not follow; put the file or folder itself there", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It cannot be taken, because the folder cannot be written.
    #[error(
        "{}: cannot be written, so nothing can be trained here: {error}; make the folder writable or make room, or copy \
         the run to where there is both",
        path.display()
    )]
    Unlocked {
        /// The file that holds the lock.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The saved settings cannot be used.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The field and what is wrong with it.
        message: String,
    },
    /// The file system failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
}
