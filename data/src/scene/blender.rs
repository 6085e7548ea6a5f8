//! Blender layout, as NeRF's synthetic scenes have it: `transforms_{train,val,test}.json` in one folder, image
//! paths without extension, one `camera_angle_x` per file.

use std::path::Path;

use super::error::{SceneError, field_error};
use super::listing::{Listing, SceneFormat};
use super::splits::Split;
use super::transforms;

/// The one file that must be there.
pub(super) const TRAIN_FILE: &str = "transforms_train.json";

/// The file that lists a split.
pub(super) fn file_name(split: Split) -> String {
    format!("transforms_{}.json", split.name())
}

/// Lists a folder's frames, in the files' order. Without files for val or test, the training file's views have no split,
/// and some will be held out.
///
/// The placement (`aabb_scale`, `scale`, `offset`) is the training file's; with Nerfstudio's fields in it there is
/// none, as in Nerfstudio's own layout.
pub(super) fn read(folder: &Path) -> Result<Listing, SceneError> {
    let mut files = Vec::new();
    for split in Split::ALL {
        let path = folder.join(file_name(split));
        if split == Split::Train || path.is_file() {
            files.push((split, transforms::read(&path)?));
        }
    }
    let split_given = files.len() > 1;
    let placement = files[0].1.placement;
    // Once a transform is undone, lengths are the original's, for which no placement was chosen.
    let original = files[0].1.origin.is_some();
    let mut warnings: Vec<String> = Vec::new();
    for warning in files.iter().flat_map(|(_, file)| &file.warnings) {
        // The files of a scene say the same.
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    let mut frames = Vec::new();
    for (split, file) in files {
        if file.placement.aabb_scale != placement.aabb_scale {
            return Err(field_error(&file.path, "aabb_scale", &format!("differs from {TRAIN_FILE}'s")));
        }
        for (index, frame) in file.frames.into_iter().enumerate() {
            frames.push(frame.listed(
                index,
                split_given.then_some(split),
                &file.path,
                &file.lens,
                file.clear,
            ));
        }
    }
    Ok(Listing {
        source: folder.to_owned(),
        format: SceneFormat::Blender,
        placement: (!original).then_some(placement),
        frames,
        points: Vec::new(),
        warnings,
    })
}
