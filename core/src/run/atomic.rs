//! Files that appear complete or not at all.
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

const SUFFIX: &str = ".tmp";

/// A file under construction: written under a temporary name in the target's folder, then, by
/// [`AtomicFile::commit`], synced and renamed over the target. Dropped without a commit it vanishes.
///
/// A process killed at any moment leaves the old target or the new one, and perhaps a temporary file
/// (`.NAME.PID-N.tmp`), which the next `create` for the same target removes. A temporary file that a living
/// process is writing is locked and stays.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Begins a file that will replace `target`. Its folder must exist.
    ///
    /// # Errors
    /// When the folder is absent or not writable, or `target` has no file name.
    pub fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        remove_leftovers(target)?;
        let mut name = temporary_prefix(target)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!("{}-{count}{SUFFIX}", process::id()));
        let temporary = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let this = Self { file, temporary, target: target.to_owned(), committed: false };
        match this.file.try_lock() {
            // Some file systems cannot lock; then only the clean-up by a second writer is unguarded.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(this),
            Err(error @ TryLockError::WouldBlock) => Err(error.into()),
        }
    }

    /// Syncs the content, renames it to the target and syncs the folder: afterwards the file survives a power
    /// failure too.
    ///
    /// # Errors
    /// When the disk is full or failing; the old target is then still in place.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.target)?;
        self.committed = true;
        sync_folder(&self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing to do about a failure: the next `create` tries again.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a whole file that appears complete or not at all; see [`AtomicFile`].
///
/// # Errors
/// Those of [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

fn temporary_prefix(target: &Path) -> io::Result<OsString> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    Ok(prefix)
}

/// The folder that a path lies in; a bare file name lies in the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the temporary files for `target` that no living process is writing.
pub(super) fn remove_leftovers(target: &Path) -> io::Result<()> {
    let prefix = temporary_prefix(target)?;
    for entry in fs::read_dir(folder_of(target))? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()))
            .is_some_and(|rest| rest.iter().all(|&b| b.is_ascii_digit() || b == b'-'));
        // What cannot be opened or removed (another user's, just renamed) is merely left over.
        if ours
            && let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Makes a rename in the folder of `path` survive a power failure. Only Unix can, and needs to, sync a folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_target_changes_only_at_commit() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        fs::write(&target, "old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn without_commit_nothing_remains() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("a")).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn leftovers_of_the_dead_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let strangers = [".a.notes.tmp", ".aa.7-0.tmp", ".b.7-0.tmp", "a.7-0.tmp"];
        for name in strangers.iter().chain(&[".a.7-0.tmp", ".a.8-3.tmp"]) {
            fs::write(path(name), "torn").unwrap();
        }
        let mut living = AtomicFile::create(&path("a")).unwrap();
        living.write_all(b"first").unwrap();
        write_atomic(&path("a"), b"second").unwrap();
        assert_eq!(fs::read(path("a")).unwrap(), b"second");
        living.commit().unwrap();
        assert_eq!(fs::read(path("a")).unwrap(), b"first");
        let mut expected: Vec<&str> = [&strangers[..], &["a"]].concat();
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn impossible_targets_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomic(&folder.path().join("absent/a"), b"").is_err());
        assert!(write_atomic(Path::new("/"), b"").is_err());
        fs::create_dir(folder.path().join("d")).unwrap();
        assert!(write_atomic(&folder.path().join("d"), b"").is_err());
        assert_eq!(names(folder.path()), ["d"]);
    }
}
