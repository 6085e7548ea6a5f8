//! Which files of a folder are photographs, for folders that say nothing else of themselves.

use std::path::{Path, PathBuf};

use super::order::natural;
use crate::image::FileKind;

/// The files that are photographs by their content, or look like it by their names, in natural order.
pub(super) fn photos_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut photos: Vec<PathBuf> = paths.filter(|path| is_photo(path)).collect();
    photos.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    photos
}

/// Whether a file is a photograph by its content, or looks like one by its name; hidden files are not.
pub(super) fn is_photo(path: &Path) -> bool {
    // What systems leave beside pictures: thumbnails, resource forks.
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    // What COLMAP reads and nerve does not is left for it to be converted: no photo is passed over silently.
    let named = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "heic", "heif"];
    !hidden
        && path.is_file()
        && (named.contains(&extension.as_str()) || FileKind::of(path).is_ok_and(FileKind::is_read))
}
