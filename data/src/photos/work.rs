//! The work folder: which photos it is of, which steps are done, and doing the rest.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::child;
use super::lock::{LOCK, Lock};
use super::progress::progress;
use super::stages::{ColmapSettings, ColmapStep, Matching};
use super::{Colmap, Photo, Photos, PhotosError, advice, masks};
use crate::image;
use crate::write::write_atomically;

const STATE: &str = "state.json";
const LOG: &str = "log.txt";
const LIST: &str = "photos.txt";
const IMAGES: &str = "images";
const MASKS: &str = "masks";
const MODELS: &str = "sparse";
/// Features and matches.
const DATABASE: [&str; 4] = ["database.db", "database.db-shm", "database.db-wal", "database.db-journal"];
/// Lines of a failed program that are shown.
const LAST_LINES: usize = 8;
/// Photos that are checked between two looks at whether to stop.
const CHECKED_AT_ONCE: usize = 64;

/// Photos with poses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconstruction {
    /// The work folder, a COLMAP scene.
    pub folder: PathBuf,
    /// How many photos there are.
    pub photos: usize,
    /// How many of them the largest model has.
    pub registered: usize,
    /// How many each model has, the largest first: parts of the scene that could not be connected.
    pub models: Vec<usize>,
    /// Of how many photos COLMAP knew masks when it looked for features.
    pub masked: usize,
    /// Whether all was done before.
    pub reused: bool,
}

/// `state.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    photos_folder: PathBuf,
    matching: Matching,
    /// Name and bytes of each photo.
    photos: Vec<(String, u64)>,
    /// While the folder still holds what an earlier run left about other photos.
    #[serde(default)]
    preparing: bool,
    /// How many photos had a mask when features were sought.
    #[serde(default)]
    masked: usize,
    done: Vec<ColmapStep>,
}

impl State {
    fn fresh(photos: &Photos, settings: &ColmapSettings) -> Self {
        Self {
            photos_folder: photos.folder.clone(),
            matching: settings.matching(photos),
            photos: photos.files.iter().map(|photo| (photo.name.clone(), photo.bytes)).collect(),
            preparing: true,
            masked: 0,
            done: Vec::new(),
        }
    }

    /// What is in a folder; `None` if it is no work folder.
    fn read(work: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(work.join(STATE)).ok()?).ok()
    }

    fn write(&self, work: &Path) -> Result<(), PhotosError> {
        let path = work.join(STATE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| PhotosError::Io { path: path.clone(), source: source.into() })?;
        Ok(write_atomically(&path, text.as_bytes())?)
    }

    /// Whether what is in the folder is of these photos, and of no others.
    fn same_photos(&self, other: &Self) -> bool {
        !self.preparing
            && (&self.photos_folder, self.matching, &self.photos)
                == (&other.photos_folder, other.matching, &other.photos)
    }
}

/// Where in `parent` to work on these photos: a folder of their name, numbered if that is of other photos.
pub fn work_folder(parent: &Path, photos: &Photos) -> PathBuf {
    let name = photos.name();
    let numbered = (2..).map(|i| parent.join(format!("{name}-{i}")));
    let mut candidates = std::iter::once(parent.join(&name)).chain(numbered);
    let free = |work: &PathBuf| match State::read(work) {
        Some(state) => state.photos_folder == photos.folder,
        // Another process may be about to begin there: that is said, not evaded.
        None => !work.exists() || begun(work),
    };
    candidates.find(free).unwrap_or_else(|| parent.join(name))
}

/// Finds the photos' poses, in `work`; what an earlier run has done is kept. `listen` is told how far each step is,
/// `None` for a step that begins; `stop` is asked many times a second.
///
/// # Errors
/// If COLMAP is not there ([`PhotosError::NoColmap`], with the commands to run), a step fails, no photo can be
/// placed, a photo was cut short, or `stop` said so.
pub fn reconstruct(
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<Reconstruction, PhotosError> {
    reconstruct_with(Colmap::find, photos, work, settings, listen, stop)
}

pub(super) fn reconstruct_with(
    find: impl FnOnce() -> Result<Option<Colmap>, PhotosError>,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<Reconstruction, PhotosError> {
    let fresh = State::fresh(photos, settings);
    let known = State::read(work).filter(|known| known.same_photos(&fresh));
    let reused =
        known.as_ref().is_some_and(|state| ColmapStep::ALL.iter().all(|step| state.done.contains(step)));
    if let Some(state) = known.filter(|_| reused && !models(work).is_empty()) {
        return finished(photos, work, state.masked, true);
    }
    let Some(mut colmap) = find()? else {
        let commands = advice::manual_commands(photos, work, settings);
        let help = format!("{}, or run it yourself:\n{commands}", advice::INSTALL);
        return Err(PhotosError::NoColmap { path: photos.folder.clone(), help });
    };
    if !begun(work) && holds_something(work) && !work.join(STATE).is_file() {
        return Err(PhotosError::NotOurs { path: work.to_owned() });
    }
    check_whole(photos, work, stop)?;
    fs::create_dir_all(work).map_err(|source| PhotosError::Io { path: work.to_owned(), source })?;
    let _lock = Lock::take(work)?;
    // Only now nobody else changes it.
    let mut state = match State::read(work).filter(|known| known.same_photos(&fresh)) {
        Some(state) => state,
        None => {
            let mut state = fresh;
            // First: a folder that is left half-emptied is known for what it is.
            state.write(work)?;
            prepare(photos, work)?;
            state.preparing = false;
            state.write(work)?;
            state
        }
    };
    for step in ColmapStep::ALL {
        // A model that someone removed is made again.
        if state.done.contains(&step) && !(step == ColmapStep::Mapping && models(work).is_empty()) {
            continue;
        }
        listen(step, None);
        if step == ColmapStep::Features {
            let masked = masks::write(photos, work)?;
            if masked != state.masked {
                // Features that are there were found without them.
                DATABASE.iter().try_for_each(|name| remove(&work.join(name)))?;
                state.masked = masked;
                state.write(work)?;
            }
        }
        run_step(&mut colmap, step, photos, work, settings, listen, stop)?;
        state.done.push(step);
        state.write(work)?;
    }
    finished(photos, work, state.masked, false)
}

/// Refuses photos that were cut short while they were copied: COLMAP does without what they lack, and only training, long
/// after it, would tell.
fn check_whole(photos: &Photos, work: &Path, stop: &dyn Fn() -> bool) -> Result<(), PhotosError> {
    for some in photos.files.chunks(CHECKED_AT_ONCE) {
        if stop() {
            return Err(PhotosError::Cancelled { work: work.to_owned() });
        }
        let check = |photo: &Photo| image::check_whole(&photos.folder.join(&photo.name)).err();
        if let Some(error) = some.par_iter().find_map_first(check) {
            return Err(error.into());
        }
    }
    Ok(())
}

fn holds_something(work: &Path) -> bool {
    fs::read_dir(work).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether nothing is in a folder but what a process leaves that has just begun there, or was ended then: its lock, and
/// the state that it was writing.
fn begun(work: &Path) -> bool {
    fs::read_dir(work).is_ok_and(|entries| {
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.retain(|name| {
            let name = name.to_string_lossy();
            !(name.starts_with(STATE) && name.ends_with(".tmp"))
        });
        names == [LOCK]
    })
}

/// Empties the folder of what an earlier run left about other photos.
fn prepare(photos: &Photos, work: &Path) -> Result<(), PhotosError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PhotosError::Io { path, source }
    };
    // Anything else in the folder is the user's.
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

/// Masks that lie beside the photos belong to the scene too; they may have come since COLMAP was run.
fn take_masks(photos: &Photos, work: &Path) -> Result<(), PhotosError> {
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

/// Removes a file, a link (not what it leads to) or a folder, if it is there.
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

fn run_step(
    colmap: &mut Colmap,
    step: ColmapStep,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<(), PhotosError> {
    let log_path = work.join(LOG);
    let io = |source| PhotosError::Io { path: log_path.clone(), source };
    if step == ColmapStep::Mapping {
        // It numbers its models after what is there.
        let sparse = work.join(MODELS);
        remove(&sparse)?;
        fs::create_dir_all(&sparse).map_err(|source| PhotosError::Io { path: sparse, source })?;
    }
    let name = step.command(photos, settings);
    let given = masks::given(work);
    let mut arguments = step.portable_arguments(photos, work, given.as_deref(), settings);
    arguments.extend(colmap.options(name, &step.optional_arguments(photos, &work.join(LIST), settings))?);
    let mut command = colmap.command(name);
    command.args(&arguments);
    let mut log = OpenOptions::new().create(true).append(true).open(&log_path).map_err(io)?;
    writeln!(log, "\n$ {command:?}").map_err(io)?;
    let mut last = VecDeque::with_capacity(LAST_LINES + 1);
    let mut hear = |line: &str| {
        if !line.trim().is_empty() {
            last.push_back(line.to_owned());
        }
        if last.len() > LAST_LINES {
            last.pop_front();
        }
        if let Some(count) = progress(step, line, photos.files.len()) {
            listen(step, Some(count));
        }
    };
    match child::run(command, log, &mut hear, stop).map_err(io)? {
        None => Err(PhotosError::Cancelled { work: work.to_owned() }),
        Some(status) if status.success() => Ok(()),
        // The mapper also fails where nothing is wrong but the photos.
        Some(_)
            if step == ColmapStep::Mapping
                && last.iter().any(|line| line.contains("failed to create sparse model")) =>
        {
            Err(PhotosError::NoModel { photos: photos.files.len(), log: log_path })
        }
        Some(status) => {
            let last = last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
            Err(PhotosError::Failed { step, status: status.to_string(), last, log: log_path })
        }
    }
}

fn finished(
    photos: &Photos,
    work: &Path,
    masked: usize,
    reused: bool,
) -> Result<Reconstruction, PhotosError> {
    let models = models(work);
    let Some(&registered) = models.first() else {
        return Err(PhotosError::NoModel { photos: photos.files.len(), log: work.join(LOG) });
    };
    take_masks(photos, work)?;
    let (folder, photos) = (work.to_owned(), photos.files.len());
    Ok(Reconstruction { folder, photos, registered, models, masked, reused })
}

/// How many images each model has, the largest first: the count that `images.bin` begins with.
fn models(work: &Path) -> Vec<usize> {
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
