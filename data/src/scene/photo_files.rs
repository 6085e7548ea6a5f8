//! Listing the photos of a folder that has no poses, for errors and for LLFF.

use std::path::{Path, PathBuf};

use super::order::natural;
use crate::image::FileKind;

/// The files that are photos by their content or extension, in natural order.
pub(super) fn photos_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut photos: Vec<PathBuf> = paths.filter(|path| is_photo(path)).collect();
    photos.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    photos
}

/// Whether a file belongs to a photo beside it, as Instant-NGP has them: `dynamic_mask_NAME.png`, `NAME.EXT.alpha.EXT`.
pub(crate) fn is_companion(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let of = |photo: &str, extensions: &[&str]| {
        let named = |extension: &&str| path.with_file_name(format!("{photo}{extension}")).is_file();
        extensions.iter().any(named)
    };
    if let Some(photo) = name.strip_prefix("dynamic_mask_").and_then(|name| name.strip_suffix(".png")) {
        return of(photo, &[".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG", ".WEBP"]);
    }
    name.rsplit_once(".alpha.").is_some_and(|(photo, extension)| of(photo, &["", &format!(".{extension}")]))
}

/// Whether a file is a photo by its content or extension; hidden files are not.
pub(super) fn is_photo(path: &Path) -> bool {
    // Files that systems leave beside pictures: thumbnails, resource forks.
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    // Kinds that COLMAP reads and nerve does not are included: no photo is skipped without an error.
    let named = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "heic", "heif"];
    !hidden
        && path.is_file()
        && !is_companion(path)
        && (named.contains(&extension.as_str()) || FileKind::of(path).is_ok_and(FileKind::is_read))
}
