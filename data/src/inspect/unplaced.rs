//! Photos beside a scene's images that are not part of it: those that structure from motion could not place.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use serde::Serialize;

use crate::image::FileKind;
use crate::scene::{OutlinedView, is_companion, natural};

/// How many of the photos in the images' folders have a pose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Photos in these folders.
    pub photos: usize,
    /// Those that are views of the scene.
    pub placed: usize,
    /// The others, by name.
    pub unplaced: Vec<String>,
}

impl Registered {
    /// Of all views of a scene, none left out.
    pub(super) fn of(views: &[OutlinedView]) -> Self {
        let known: HashSet<&Path> = views
            .iter()
            .flat_map(|view| {
                [
                    Some(view.path.as_path()),
                    view.mask.as_ref().map(|mask| mask.path.as_path()),
                    view.alpha.as_deref(),
                    view.depth.as_ref().map(|d| d.path.as_path()),
                ]
            })
            .flatten()
            .collect();
        let folders: BTreeSet<&Path> = views.iter().filter_map(|view| view.path.parent()).collect();
        let files =
            folders.into_iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path());
        let is_photo = |path: &std::path::PathBuf| {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            !hidden
                && !known.contains(path.as_path())
                && !is_companion(path)
                && FileKind::of(path).is_ok_and(FileKind::is_read)
        };
        let name =
            |path: std::path::PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut unplaced: Vec<String> = files.filter(is_photo).map(name).collect();
        unplaced.sort_by(|a, b| natural(a, b));
        // A photograph may be listed for two splits.
        let placed = views.iter().map(|view| &view.path).collect::<HashSet<_>>().len();
        Self { photos: placed + unplaced.len(), placed, unplaced }
    }
}
