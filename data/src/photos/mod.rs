//! Bare photos: a folder of pictures without poses, which COLMAP finds.
//!
//! | step | program | what it leaves in the work folder |
//! |---|---|---|
//! | features | `colmap feature_extractor` | `database.db` |
//! | matching | `colmap exhaustive_matcher` or `sequential_matcher` | `database.db` |
//! | mapping | `colmap mapper` | `sparse/0`, `sparse/1`, ... |
//!
//! The work folder is a COLMAP scene like any other: beside the models it has `images`, a link to the photos (a copy
//! where links cannot be made), `masks` in the same way if there are any, the output of all programs in `log.txt`, and
//! `state.json`, which records the photos and the steps that are done. Masks are given to COLMAP too: it finds no
//! features where they are black. A second run continues where the first one stopped; if the photos have changed since,
//! it starts over. Only one process can work in the folder at a time: it holds a lock. Nothing is written into the
//! photos' own folder.
//!
//! Where the photos contradict the poses that they are given ([`Contradiction`](crate::scene::Contradiction)), [`unfold`](unfold()) maps
//! them once more without the pairs that mislead, and keeps the result if it is better.
//!
//! Everything runs on the processor (COLMAP's GPU code needs a display or CUDA). Pixels are used as stored,
//! without the rotation of EXIF tags; see [`ImageHeader`].

mod advice;
mod arguments;
mod child;
mod error;
mod listing;
mod lock;
mod manual;
mod masks;
mod program;
mod progress;
mod reconstruct;
mod step;
mod unfold;
mod work;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use advice::INSTALL;
pub use arguments::{ColmapSettings, Matching};
pub use error::PhotosError;
pub use program::Colmap;
pub use reconstruct::{Reconstruction, reconstruct};
pub use step::ColmapStep;
pub use unfold::unfold;
pub use work::work_folder;

use crate::image::{FileKind, ImageHeader, has_extension};
use crate::scene::{BadPhoto, files_below, mask_beside};

/// The smallest number of photos for a scene.
pub(crate) const FEWEST: usize = 3;

/// The photos of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photos {
    /// The folder that they lie in, absolute and without links.
    pub folder: PathBuf,
    /// The photos, in the order of their names.
    pub files: Vec<Photo>,
    /// Names of pictures of kinds that cannot be read, and of videos.
    pub left_out: Vec<String>,
    /// Photos that cannot be used and were left out, as was asked for.
    pub bad: Vec<BadPhoto>,
    /// How many pictures, by extension, lie one and two folders below; they are not among the photos. Folders of masks,
    /// depth maps and runs are not counted, and only the first few thousand entries are looked at.
    pub below: usize,
}

/// A photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// The file's name in the folder.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its header.
    pub header: ImageHeader,
}

/// Folder names that do not describe a scene.
const GENERIC: [&str; 7] = ["images", "image", "input", "inputs", "photos", "frames", "rgb"];

impl Photos {
    /// Whether a folder holds photos itself, by the files' content.
    pub fn any(folder: &Path) -> bool {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| path.is_file() && kind(&path).is_read())
    }

    /// Lists a folder's photos. Photos in subfolders are only counted, and files of other kinds are ignored. If the
    /// folder has no photos, its subfolder `images` is used.
    ///
    /// # Errors
    /// If the folder cannot be read, contains fewer than 3 photos, a file that has a photo's name (.jpg, .jpeg,
    /// .png or .webp) is not a picture or cannot be read, or a photo has an unusable header or a name that cannot be passed
    /// to COLMAP.
    pub fn find(folder: &Path) -> Result<Self, PhotosError> {
        Self::find_with(folder, false)
    }

    /// The same; with `skip_bad`, photos that cannot be used are left out instead of being an error.
    ///
    /// # Errors
    /// Those of [`Self::find`]: of the photos that cannot be used, all are named.
    pub fn find_with(folder: &Path, skip_bad: bool) -> Result<Self, PhotosError> {
        let inner = folder.join("images");
        let folder = if !Self::any(folder) && any_named(&inner) { &inner } else { folder };
        let io = |source| PhotosError::Io { path: folder.to_owned(), source };
        let (mut names, mut left_out, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
        for path in listing::entries(folder)? {
            match listing::kind(&path) {
                Ok(kind) if kind.is_read() => match ImageHeader::read(&path) {
                    Ok(header) => names.push((listing::name(&path)?, header)),
                    Err(error) => unusable.push((path, error.into())),
                },
                Ok(FileKind::OtherImage(_) | FileKind::Video(_)) => {
                    left_out.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
                }
                Ok(_) => {}
                Err(error) => unusable.push((path, error)),
            }
        }
        let bad: Vec<BadPhoto> = unusable.iter().map(|(path, error)| BadPhoto::new(path, error)).collect();
        if !skip_bad && bad.len() > 1 {
            return Err(PhotosError::BadPhotos { path: folder.to_owned(), bad });
        }
        if let Some((_, error)) = unusable.into_iter().next().filter(|_| !skip_bad) {
            return Err(error);
        }
        if names.len() < FEWEST {
            let count = names.len();
            return Err(PhotosError::TooFew { path: folder.to_owned(), count, left_out });
        }
        let folder = folder.canonicalize().map_err(io)?;
        let photo = |(name, header): (String, ImageHeader)| {
            let path = folder.join(&name);
            let bytes = path.metadata().map_err(|source| PhotosError::Io { path, source })?.len();
            Ok(Photo { name, bytes, header })
        };
        let files = names.into_par_iter().map(photo).collect::<Result<_, PhotosError>>()?;
        let below = files_below(&folder, 2).iter().filter(|path| has_extension(path)).count();
        Ok(Self { folder, files, left_out, bad, below })
    }

    /// A name for the scene: the folder's, or its parent's if the folder has a general name such as `images`.
    pub fn name(&self) -> String {
        let names =
            self.folder.ancestors().filter_map(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        let mut names = names.filter(|name| name != "..");
        let first = names.next();
        let generic = first.as_ref().is_some_and(|name| GENERIC.contains(&name.to_lowercase().as_str()));
        let better = if generic { names.next() } else { None };
        better.or(first).unwrap_or_else(|| "photos".to_owned())
    }

    /// The folder `masks` beside the photos' folder, if that has a general name such as `images`.
    pub fn masks(&self) -> Option<PathBuf> {
        let name = self.folder.file_name()?.to_str()?.to_lowercase();
        let masks = self.folder.parent()?.join("masks");
        (GENERIC.contains(&name.as_str()) && masks.is_dir()).then_some(masks)
    }

    /// How many photos have a mask there.
    pub fn masked(&self) -> usize {
        let Some(masks) = self.masks() else { return 0 };
        self.files.iter().filter(|photo| mask_beside(&masks, &photo.name).is_some()).count()
    }

    /// Whether all have the same size, as those of one camera do.
    pub fn one_size(&self) -> bool {
        let size = |photo: &Photo| (photo.header.width, photo.header.height);
        self.files.windows(2).all(|pair| size(&pair[0]) == size(&pair[1]))
    }

    /// Whether the names are numbered in order, as those of a video's frames are: equal but for ascending digits at the
    /// end.
    pub fn numbered(&self) -> bool {
        let parts: Option<Vec<(&str, u64)>> = self.files.iter().map(|photo| numbered(&photo.name)).collect();
        parts.is_some_and(|parts| parts.windows(2).all(|p| p[0].0 == p[1].0 && p[0].1 < p[1].1))
    }
}

/// Refuses a video, with the commands that extract frames from it.
///
/// # Errors
/// [`PhotosError::Video`] if the path is a video.
pub fn refuse_video(path: &Path) -> Result<(), PhotosError> {
    match path.is_file().then(|| kind(path)) {
        Some(FileKind::Video(_)) => Err(PhotosError::Video { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// The part of a name before its last digits, and their value.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    stem[prefix.len()..].parse().ok().map(|number| (prefix, number))
}

/// Whether a folder contains photos, or files with their extensions.
fn any_named(folder: &Path) -> bool {
    let named = |path: &PathBuf| has_extension(path) && !path.is_dir();
    Photos::any(folder) || listing::entries(folder).is_ok_and(|paths| paths.iter().any(named))
}

/// The kind of a file; unknown if it cannot be read, which is an error later.
fn kind(path: &Path) -> FileKind {
    FileKind::of(path).unwrap_or(FileKind::Unknown)
}

#[cfg(all(test, unix))]
mod tests;
