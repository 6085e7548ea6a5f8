//! Which files of a folder are photos, by their content. A file with a photo's extension that is not one is an error.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::PhotosError;
use crate::image::{FileKind, ImageError, has_extension};

/// How the pointers begin that Git LFS leaves in place of files it has not fetched.
const LFS: &[u8] = b"version https://git-lfs";
/// Characters that COLMAP strips from both ends of a line of its list: C's `isspace`.
const SPACE: [char; 6] = [' ', '\t', '\n', '\x0b', '\x0c', '\r'];

/// A folder's entries, sorted; without hidden files, such as thumbnails and resource forks.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, PhotosError> {
    let io = |source| PhotosError::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The kind of an entry; [`FileKind::Unknown`] if it is not a file, or cannot be read and has not a photo's extension.
///
/// # Errors
/// If it has a photo's extension but cannot be read or is not a picture.
pub(super) fn kind(path: &Path) -> Result<FileKind, PhotosError> {
    // A link that leads nowhere is a file that cannot be read; a pipe would keep its reader waiting.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Ok(FileKind::Unknown);
    }
    match FileKind::of(path) {
        Ok(FileKind::Unknown | FileKind::NumPy) if has_extension(path) => Err(no_picture(path)),
        Ok(kind) => Ok(kind),
        Err(source) if has_extension(path) => Err(PhotosError::Io { path: path.to_owned(), source }),
        Err(_) => Ok(FileKind::Unknown),
    }
}

/// The error for a file that has a photo's extension but is not a picture.
fn no_picture(path: &Path) -> PhotosError {
    let mut head = Vec::with_capacity(LFS.len());
    let read = File::open(path).and_then(|file| file.take(LFS.len() as u64).read_to_end(&mut head));
    if let Err(source) = read {
        return PhotosError::Io { path: path.to_owned(), source };
    }
    let (what, remedy) = if head.is_empty() {
        ("the file is empty", "copy it again, or remove it")
    } else if head == LFS {
        ("a Git LFS pointer instead of the picture", "fetch the pictures with `git lfs pull`")
    } else {
        ("not a picture, despite its name", "copy it again, or remove it")
    };
    ImageError::Format { path: path.to_owned(), what, remedy }.into()
}

/// A photo's name, if COLMAP's list can contain it.
///
/// # Errors
/// If it cannot.
pub(super) fn name(path: &Path) -> Result<String, PhotosError> {
    let refuse = |problem| Err(PhotosError::Name { path: path.to_owned(), problem });
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return refuse("is not UTF-8, but COLMAP's list of photos must be");
    };
    if name.trim_matches(SPACE) != name {
        return refuse(
            "begins or ends with white space, which COLMAP removes, so that it would not find the photo",
        );
    }
    if name.contains(['\n', '\r']) {
        return refuse("contains a line break, but COLMAP's list has one name per line");
    }
    Ok(name.to_owned())
}
