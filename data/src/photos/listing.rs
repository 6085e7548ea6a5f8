//! Which files of a folder are photos: by their content, and what has a photo's name must be one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::PhotosError;
use crate::image::{FileKind, ImageError, has_extension};

/// What Git LFS leaves in place of a file that it has not fetched begins with this.
const LFS: &[u8] = b"version https://git-lfs";
/// What COLMAP cuts off both ends of a line of its list: C's `isspace`.
const SPACE: [char; 6] = [' ', '\t', '\n', '\x0b', '\x0c', '\r'];

/// A folder's entries, sorted; without what systems leave beside pictures: thumbnails, resource forks.
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

/// What an entry is; [`FileKind::Unknown`] for what is no file, or cannot be read and has no photo's name.
///
/// # Errors
/// If it has a photo's name and cannot be read, or is no picture.
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

/// What a file is that only has a photo's name.
fn no_picture(path: &Path) -> PhotosError {
    let mut head = Vec::with_capacity(LFS.len());
    let read = File::open(path).and_then(|file| file.take(LFS.len() as u64).read_to_end(&mut head));
    if let Err(source) = read {
        return PhotosError::Io { path: path.to_owned(), source };
    }
    let (what, remedy) = if head.is_empty() {
        ("the file is empty", "copy it again, or remove it")
    } else if head == LFS {
        ("a pointer that Git LFS left in place of the picture", "fetch the pictures with `git lfs pull`")
    } else {
        ("not a picture, though its name says so", "copy it again, or remove it")
    };
    ImageError::Format { path: path.to_owned(), what, remedy }.into()
}

/// A photo's name as COLMAP's list can have it.
///
/// # Errors
/// If it cannot.
pub(super) fn name(path: &Path) -> Result<String, PhotosError> {
    let refuse = |problem| Err(PhotosError::Name { path: path.to_owned(), problem });
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return refuse("is not plain text (UTF-8), which COLMAP cannot be given");
    };
    if name.trim_matches(SPACE) != name {
        return refuse("begins or ends with white space, which COLMAP drops, so that it finds no such photo");
    }
    if name.contains(['\n', '\r']) {
        return refuse("goes over more than one line, which COLMAP cannot be given");
    }
    Ok(name.to_owned())
}
