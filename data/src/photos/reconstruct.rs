//! Finding the photos' poses with COLMAP: runs the steps that are not done yet.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::arguments::ColmapSettings;
use super::lock::Lock;
use super::manual::manual_commands;
use super::progress::progress;
use super::step::ColmapStep;
use super::work::{
    DATABASE, LIST, LOG, MODELS, STATE, State, begun, holds_something, models, prepare, remove, take_masks,
};
use super::{Colmap, Photo, Photos, PhotosError, advice, child, masks};
use crate::image;

/// How many lines of a failed program are shown.
const LAST_LINES: usize = 8;
/// How many photos are checked before `stop` is asked again.
const CHECKED_AT_ONCE: usize = 64;

/// Photos with poses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconstruction {
    /// The work folder, a COLMAP scene.
    pub folder: PathBuf,
    /// How many photos there are.
    pub photos: usize,
    /// How many of them are in the largest model.
    pub registered: usize,
    /// The number of photos in each model, the largest first: separate parts of the scene that could not be connected.
    pub models: Vec<usize>,
    /// How many photos had a mask when features were extracted.
    pub masked: usize,
    /// Whether an earlier run had done all steps.
    pub reused: bool,
}

/// Finds the photos' poses, in `work`; steps that an earlier run has done are kept. `listen` receives the progress
/// `(done, total)` of each step, `None` when a step begins; `stop` is called many times per second.
///
/// # Errors
/// If COLMAP is not there ([`PhotosError::NoColmap`], with the commands to run), a step fails, no photo can be
/// placed, a photo is truncated, or `stop` returned true.
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
        let commands = manual_commands(photos, work, settings);
        let help = format!("{}, or run it yourself:\n{commands}", advice::INSTALL);
        return Err(PhotosError::NoColmap { path: photos.folder.clone(), help });
    };
    if !begun(work) && holds_something(work) && !work.join(STATE).is_file() {
        return Err(PhotosError::NotOurs { path: work.to_owned() });
    }
    check_whole(photos, work, stop)?;
    fs::create_dir_all(work).map_err(|source| PhotosError::Io { path: work.to_owned(), source })?;
    let _lock = Lock::take(work)?;
    // Read again: now that the folder is locked, no other process changes it.
    let mut state = match State::read(work).filter(|known| known.same_photos(&fresh)) {
        Some(state) => state,
        None => {
            let mut state = fresh;
            // Written first, so that a folder that is left half-emptied is recognized.
            state.write(work)?;
            prepare(photos, work)?;
            state.preparing = false;
            state.write(work)?;
            state
        }
    };
    for step in ColmapStep::ALL {
        // A model that was removed is made again.
        if state.done.contains(&step) && !(step == ColmapStep::Mapping && models(work).is_empty()) {
            continue;
        }
        listen(step, None);
        if step == ColmapStep::Features {
            let masked = masks::write(photos, work)?;
            if masked != state.masked {
                // Existing features were extracted without these masks.
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

/// Refuses photos that were truncated while they were copied: COLMAP ignores the missing part, and only training, much
/// later, would fail.
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

pub(super) fn run_step(
    colmap: &mut Colmap,
    step: ColmapStep,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<(), PhotosError> {
    if step == ColmapStep::Mapping {
        // The mapper continues the numbers of existing models.
        let sparse = work.join(MODELS);
        remove(&sparse)?;
        fs::create_dir_all(&sparse).map_err(|source| PhotosError::Io { path: sparse, source })?;
    }
    let name = step.command(photos, settings);
    let given = masks::given(work);
    let mut arguments = step.portable_arguments(photos, work, given.as_deref(), settings);
    arguments.extend(colmap.options(name, &step.optional_arguments(photos, &work.join(LIST), settings))?);
    run_command(colmap, step, name, &arguments, photos, work, listen, stop)
}

/// Runs one of COLMAP's commands for a step, and keeps what it prints.
#[allow(clippy::too_many_arguments)]
pub(super) fn run_command(
    colmap: &Colmap,
    step: ColmapStep,
    name: &str,
    arguments: &[OsString],
    photos: &Photos,
    work: &Path,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<(), PhotosError> {
    let log_path = work.join(LOG);
    let io = |source| PhotosError::Io { path: log_path.clone(), source };
    let mut command = colmap.command(name);
    command.args(arguments);
    let mut log = OpenOptions::new().create(true).append(true).open(&log_path).map_err(io)?;
    writeln!(log, "\n$ {command:?}").map_err(io)?;
    let mut last = VecDeque::with_capacity(LAST_LINES + 1);
    let mut on_line = |line: &str| {
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
    match child::run(command, log, &mut on_line, stop).map_err(io)? {
        None => Err(PhotosError::Cancelled { work: work.to_owned() }),
        Some(status) if status.success() => Ok(()),
        // The mapper also fails if the photos cannot be placed, which is not an error of the program.
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
