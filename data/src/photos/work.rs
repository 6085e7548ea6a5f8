//! The work folder: its files, the photos that it belongs to, and the steps that are done.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arguments::{ColmapSettings, Matching};
use super::lock::LOCK;
use super::step::ColmapStep;
use super::{Photos, PhotosError};
use crate::write::write_atomically;

pub(super) const STATE: &str = "state.json";
pub(super) const LOG: &str = "log.txt";
/// The photos' names, for COLMAP.
pub(super) const LIST: &str = "photos.txt";
const IMAGES: &str = "images";
const MASKS: &str = "masks";
pub(super) const MODELS: &str = "sparse";
/// Features and matches.
pub(super) const DATABASE: [&str; 4] =
    ["database.db", "database.db-shm", "database.db-wal", "database.db-journal"];

/// `state.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    photos_folder: PathBuf,
    matching: Matching,
    /// Name and bytes of each photo.
    photos: Vec<(String, u64)>,
    /// Whether the folder may still contain files of an earlier run on other photos.
    #[serde(default)]
    pub preparing: bool,
    /// How many photos had a mask when features were extracted.
    #[serde(default)]
    pub masked: usize,
    /// Whether it was tried to map them again without the pairs that folded the model.
    #[serde(default)]
    pub unfolded: bool,
    pub done: Vec<ColmapStep>,
}

impl State {
    pub fn fresh(photos: &Photos, settings: &ColmapSettings) -> Self {
        Self {
            photos_folder: photos.folder.clone(),
            matching: settings.matching(photos),
            photos: photos.files.iter().map(|photo| (photo.name.clone(), photo.bytes)).collect(),
            preparing: true,
            masked: 0,
            unfolded: false,
            done: Vec::new(),
        }
    }

    /// Reads the state of a folder; `None` if it is not a work folder.
    pub fn read(work: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(work.join(STATE)).ok()?).ok()
    }

    pub fn write(&self, work: &Path) -> Result<(), PhotosError> {
        let path = work.join(STATE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| PhotosError::Io { path: path.clone(), source: source.into() })?;
        Ok(write_atomically(&path, text.as_bytes())?)
    }

    /// Whether the folder belongs to these photos, and contains nothing of others.
    pub fn same_photos(&self, other: &Self) -> bool {
        !self.preparing
            && (&self.photos_folder, self.matching, &self.photos)
                == (&other.photos_folder, other.matching, &other.photos)
    }
}

/// The work folder in `parent` for these photos: named after them, with a number if that name is taken by others.
pub fn work_folder(parent: &Path, photos: &Photos) -> PathBuf {
    let name = photos.name();
    let numbered = (2..).map(|i| parent.join(format!("{name}-{i}")));
    let mut candidates = std::iter::once(parent.join(&name)).chain(numbered);
    let free = |work: &PathBuf| match State::read(work) {
        Some(state) => state.photos_folder == photos.folder,
        // Another process may have just begun there: reported as busy, not avoided.
        None => !work.exists() || begun(work),
    };
    candidates.find(free).unwrap_or_else(|| parent.join(name))
}

/// Whether a folder is there and not empty.
pub(super) fn holds_something(work: &Path) -> bool {
    fs::read_dir(work).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether a folder contains only what a process leaves that has just begun, or was ended then: its lock, and the state
/// that it was writing.
pub(super) fn begun(work: &Path) -> bool {
    fs::read_dir(work).is_ok_and(|entries| {
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.retain(|name| {
            let name = name.to_string_lossy();
            !(name.starts_with(STATE) && name.ends_with(".tmp"))
        });
        names == [LOCK]
    })
}

/// Removes the files of an earlier run on other photos.
pub(super) fn prepare(photos: &Photos, work: &Path) -> Result<(), PhotosError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PhotosError::Io { path, source }
    };
    // Any other file is the user's.
    for name in DATABASE.into_iter().chain([MODELS, LIST]) {
        remove(&work.join(name))?;
    }
    let names: String = photos.files.iter().map(|photo| format!("{}\n", photo.name)).collect();
    write_atomically(&work.join(LIST), names.as_bytes())?;
    let (images, masks) = (work.join(IMAGES), work.join(MASKS));
    remove(&images)?;
    if masks.is_symlink() {
        remove(&masks)?;
    }
    if !link(&photos.folder, &images) {
        fs::create_dir_all(&images).map_err(io(&images))?;
        for photo in &photos.files {
            let to = images.join(&photo.name);
            fs::copy(photos.folder.join(&photo.name), &to).map_err(io(&to))?;
        }
    }
    Ok(())
}

/// Links the masks beside the photos into the scene; they may have been added since COLMAP was run.
pub(super) fn take_masks(photos: &Photos, work: &Path) -> Result<(), PhotosError> {
    let Some(from) = photos.masks() else { return Ok(()) };
    let to = work.join(MASKS);
    if to.exists() {
        return Ok(());
    }
    remove(&to)?;
    if !link(&from, &to) {
        fs::create_dir_all(&to)
            .and_then(|()| {
                let files = fs::read_dir(&from)?.flatten().filter(|entry| entry.path().is_file());
                files
                    .map(|entry| fs::copy(entry.path(), to.join(entry.file_name())))
                    .try_for_each(|copy| copy.map(drop))
            })
            .map_err(|source| PhotosError::Io { path: to, source })?;
    }
    Ok(())
}

/// Removes a file, a link (not its target) or a folder, if it exists.
pub(super) fn remove(path: &Path) -> Result<(), PhotosError> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|source| PhotosError::Io { path: path.to_owned(), source })
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> bool {
    std::os::unix::fs::symlink(to, at).is_ok()
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> bool {
    false
}

/// The number of images in each model, the largest first: the count at the start of `images.bin`.
pub(super) fn models(work: &Path) -> Vec<usize> {
    let folders = fs::read_dir(work.join(MODELS)).into_iter().flatten().flatten();
    let count = |folder: PathBuf| {
        let mut count = [0; 8];
        File::open(folder.join("images.bin")).and_then(|mut file| file.read_exact(&mut count)).ok()?;
        usize::try_from(u64::from_le_bytes(count)).ok().filter(|&count| count > 0)
    };
    let mut models: Vec<usize> = folders.filter_map(|entry| count(entry.path())).collect();
    models.sort_unstable_by_key(|&count| std::cmp::Reverse(count));
    models
}
