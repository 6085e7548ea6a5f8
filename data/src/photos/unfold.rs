//! A folded model, mapped again without the matches that folded it: those of pairs of photos that contradict each other and
//! share points all the same. COLMAP drops its matches, compares the other pairs anew, and places the cameras by these.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::arguments::{ColmapSettings, Matching, OVERLAP};
use super::lock::Lock;
use super::reconstruct::{run_command, run_step};
use super::step::ColmapStep;
use super::work::{LIST, MODELS, State, models, remove};
use super::{Colmap, Photos, PhotosError};
use crate::write::write_atomically;

/// The models as they were.
const FOLDED: &str = "sparse-folded";
/// The pairs of photos that are compared, by name, for COLMAP.
const PAIRS: &str = "pairs.txt";

/// Maps the photos of a work folder again without pairs of them, given by name. Kept is what `is_better` says of the new models,
/// which are in the folder then; else the models are as before. Tried once only: `false` where it was, nothing came of it, or it
/// cannot be done.
///
/// # Errors
/// If a step fails, or `stop` returned true; the models are then as before.
pub fn unfold(
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    without: &[[String; 2]],
    is_better: &mut dyn FnMut() -> bool,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<bool, PhotosError> {
    unfold_with(Colmap::find, photos, work, settings, without, is_better, listen, stop)
}

#[allow(clippy::too_many_arguments)]
pub(super) fn unfold_with(
    find: impl FnOnce() -> Result<Option<Colmap>, PhotosError>,
    photos: &Photos,
    work: &Path,
    settings: &ColmapSettings,
    without: &[[String; 2]],
    is_better: &mut dyn FnMut() -> bool,
    listen: &mut dyn FnMut(ColmapStep, Option<(usize, usize)>),
    stop: &dyn Fn() -> bool,
) -> Result<bool, PhotosError> {
    // In a list of pairs names end at a space.
    let spaced = photos.files.iter().any(|photo| photo.name.contains(char::is_whitespace));
    let Some(mut state) = State::read(work).filter(|state| !state.unfolded && !spaced) else {
        return Ok(false);
    };
    let Some(mut colmap) = find()? else { return Ok(false) };
    let _lock = Lock::take(work)?;
    // Whoever is ended here matches and maps again as at first.
    let all = std::mem::replace(&mut state.done, vec![ColmapStep::Features]);
    state.write(work)?;
    let (sparse, folded) = (work.join(MODELS), work.join(FOLDED));
    let io = |source| PhotosError::Io { path: folded.clone(), source };
    remove(&folded)?;
    fs::rename(&sparse, &folded).map_err(io)?;
    let pairs = work.join(PAIRS);
    let mut again = || -> Result<(), PhotosError> {
        listen(ColmapStep::Matching, None);
        let database = || ["--database_path".into(), work.join("database.db").into()];
        let clean: Vec<OsString> =
            database().into_iter().chain(["--type".into(), "matches".into()]).collect();
        run_command(&colmap, ColmapStep::Matching, "database_cleaner", &clean, photos, work, listen, stop)?;
        write_atomically(&pairs, list(photos, settings, without).as_bytes())?;
        let mut import: Vec<OsString> = database().into_iter().collect();
        import.extend([
            "--match_list_path".into(),
            pairs.clone().into(),
            "--match_type".into(),
            "pairs".into(),
        ]);
        let optional = ColmapStep::Matching.optional_arguments(photos, &work.join(LIST), settings);
        import.extend(colmap.options("matches_importer", &optional)?);
        run_command(&colmap, ColmapStep::Matching, "matches_importer", &import, photos, work, listen, stop)?;
        listen(ColmapStep::Mapping, None);
        run_step(&mut colmap, ColmapStep::Mapping, photos, work, settings, listen, stop)
    };
    let done = again();
    let better = done.is_ok() && !models(work).is_empty() && is_better();
    if better {
        remove(&folded)?;
    } else {
        remove(&sparse)?;
        fs::rename(&folded, &sparse).map_err(io)?;
    }
    // What was stopped is tried again; what failed is not.
    state.unfolded = !matches!(done, Err(PhotosError::Cancelled { .. }));
    state.done = all;
    state.write(work)?;
    match done {
        // The photos cannot be placed without these pairs.
        Err(PhotosError::NoModel { .. }) => Ok(false),
        done => done.map(|()| better),
    }
}

/// The pairs that are compared, a line each.
fn list(photos: &Photos, settings: &ColmapSettings, without: &[[String; 2]]) -> String {
    let without: HashSet<[&str; 2]> =
        without.iter().flat_map(|[a, b]| [[a.as_str(), b.as_str()], [b.as_str(), a.as_str()]]).collect();
    let near = match settings.matching(photos) {
        Matching::Sequential => OVERLAP,
        _ => usize::MAX,
    };
    let mut text = String::new();
    for (i, a) in photos.files.iter().enumerate() {
        for b in photos.files[i + 1..].iter().take(near) {
            if !without.contains(&[a.name.as_str(), b.name.as_str()]) {
                text += &format!("{} {}\n", a.name, b.name);
            }
        }
    }
    text
}
