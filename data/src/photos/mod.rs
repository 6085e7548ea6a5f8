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
//! `state.json`, which says of which photos it is and which steps are done. Masks are for COLMAP too: it finds no features
//! where they are black. A second run takes up where the first one stopped; where the photos have changed
//! since, it starts over. Two at once do not: the first holds a lock on the folder. Nothing is written into the photos'
//! own folder.
//!
//! Everything runs on the processor (COLMAP's GPU code needs a display or CUDA). Pixels are taken as stored, whatever
//! EXIF says of which way is up; see [`ImageHeader`].

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
mod work;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use advice::INSTALL;
pub use arguments::{ColmapSettings, Matching};
pub use error::PhotosError;
pub use manual::manual_commands;
pub use program::Colmap;
pub use reconstruct::{Reconstruction, reconstruct};
pub use step::ColmapStep;
pub use work::work_folder;

use crate::image::{FileKind, ImageHeader, has_extension};
use crate::scene::{files_below, mask_beside};

/// Fewer photos give no scene.
pub const FEWEST: usize = 3;

/// The photos of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photos {
    /// The folder that they lie in, absolute and without links.
    pub folder: PathBuf,
    /// The photos, in the order of their names.
    pub files: Vec<Photo>,
    /// Pictures of kinds that are not read, and videos, by name.
    pub left_out: Vec<String>,
    /// Pictures one and two folders below, by their names' extensions: they are not among the photos. Folders of masks,
    /// depths and runs do not count, and only some thousands of entries are looked at.
    pub below: usize,
}

/// A photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// The file's name in the folder.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// What its header says.
    pub header: ImageHeader,
}

/// Folders whose names say nothing of what they show.
const GENERIC: [&str; 7] = ["images", "image", "input", "inputs", "photos", "frames", "rgb"];

impl Photos {
    /// Whether a folder holds photos itself, by the files' content.
    pub fn any(folder: &Path) -> bool {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| path.is_file() && kind(&path).is_read())
    }

    /// Lists a folder's photos; those in folders in it are only counted, files of other kinds ignored. A folder
    /// without photos stands for the `images` in it.
    ///
    /// # Errors
    /// If the folder cannot be read, holds fewer than [`FEWEST`] photos, a file that has a photo's name (.jpg, .jpeg,
    /// .png or .webp) is no picture or cannot be read, or a photo has a header that cannot be used or a name that COLMAP
    /// cannot be given.
    pub fn find(folder: &Path) -> Result<Self, PhotosError> {
        let inner = folder.join("images");
        let folder = if !Self::any(folder) && any_named(&inner) { &inner } else { folder };
        let io = |source| PhotosError::Io { path: folder.to_owned(), source };
        let (mut names, mut left_out) = (Vec::new(), Vec::new());
        for path in listing::entries(folder)? {
            match listing::kind(&path)? {
                kind if kind.is_read() => names.push(listing::name(&path)?),
                FileKind::OtherImage(_) | FileKind::Video(_) => {
                    left_out.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
                }
                _ => {}
            }
        }
        if names.len() < FEWEST {
            let count = names.len();
            return Err(PhotosError::TooFew { path: folder.to_owned(), count, left_out });
        }
        let folder = folder.canonicalize().map_err(io)?;
        let photo = |name: String| {
            let path = folder.join(&name);
            let header = ImageHeader::read(&path)?;
            let bytes = path.metadata().map_err(|source| PhotosError::Io { path, source })?.len();
            Ok(Photo { name, bytes, header })
        };
        let files = names.into_par_iter().map(photo).collect::<Result<_, PhotosError>>()?;
        let below = files_below(&folder, 2).iter().filter(|path| has_extension(path)).count();
        Ok(Self { folder, files, left_out, below })
    }

    /// What to call the scene: the folder's name, or its parent's where that says more.
    pub fn name(&self) -> String {
        let names =
            self.folder.ancestors().filter_map(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        let mut names = names.filter(|name| name != "..");
        let first = names.next();
        let generic = first.as_ref().is_some_and(|name| GENERIC.contains(&name.to_lowercase().as_str()));
        let better = if generic { names.next() } else { None };
        better.or(first).unwrap_or_else(|| "photos".to_owned())
    }

    /// The folder `masks` beside the photos', where theirs has a name such as `images`, so that both are a scene's.
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

    /// Whether all have the same number of pixels a side, as those of one camera do.
    pub fn one_size(&self) -> bool {
        let size = |photo: &Photo| (photo.header.width, photo.header.height);
        self.files.windows(2).all(|pair| size(&pair[0]) == size(&pair[1]))
    }

    /// Whether the names number the photos in their order, as those of a video's frames do: all the same but for
    /// digits at their end, which grow.
    pub fn numbered(&self) -> bool {
        let parts: Option<Vec<(&str, u64)>> = self.files.iter().map(|photo| numbered(&photo.name)).collect();
        parts.is_some_and(|parts| parts.windows(2).all(|p| p[0].0 == p[1].0 && p[0].1 < p[1].1))
    }
}

/// Refuses a video, with the commands that take frames from it.
///
/// # Errors
/// If the path is one.
pub fn refuse_video(path: &Path) -> Result<(), PhotosError> {
    match path.is_file().then(|| kind(path)) {
        Some(FileKind::Video(_)) => Err(PhotosError::Video { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// What is before a name's last digits, and their value.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    stem[prefix.len()..].parse().ok().map(|number| (prefix, number))
}

/// Whether a folder holds photos, or what has their names.
fn any_named(folder: &Path) -> bool {
    let named = |path: &PathBuf| has_extension(path) && !path.is_dir();
    Photos::any(folder) || listing::entries(folder).is_ok_and(|paths| paths.iter().any(named))
}

/// A file that cannot be read is left to its reader.
fn kind(path: &Path) -> FileKind {
    FileKind::of(path).unwrap_or(FileKind::Unknown)
}

#[cfg(all(test, unix))]
mod tests;
