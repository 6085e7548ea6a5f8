//! What can be wrong with a label set's files.

use std::path::{Path, PathBuf};

use super::{LabelSplit, MAX_CLASSES};
use crate::image::ImageError;

/// Why a label set cannot be read. Each message names the file, the place in it and the remedy; the underlying cause is
/// in [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Neither a file nor a folder.
    #[error("{}: no such folder", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// No known format.
    #[error("{}: not a label set; looked for {}{hint}", path.display(), looked_for.join(", "))]
    Unrecognised {
        /// What was asked for.
        path: PathBuf,
        /// What each format is recognized by.
        looked_for: Vec<&'static str>,
        /// What the folder looks like instead, or nothing.
        hint: String,
    },
    /// Several label sets.
    #[error("{}: contains several label sets; give one of {}", path.display(), listed(sets))]
    Several {
        /// What was asked for.
        path: PathBuf,
        /// The folders below it.
        sets: Vec<PathBuf>,
    },
    /// A file or folder cannot be read.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An image cannot be used, or a mask's header.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A class file or a list cannot be understood.
    #[error("{}: {place}: {what}; {remedy}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line or field.
        place: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The classes are too many, or none.
    #[error("{}: {count} classes; give 1 to {MAX_CLASSES}, since 255 in a mask means ignored", path.display())]
    Classes {
        /// The class file.
        path: PathBuf,
        /// How many it has.
        count: usize,
    },
    /// No image has a mask.
    #[error("{}: no image has a mask: {what}; {remedy}", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
        /// What was found instead.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Two files whose names differ in the extension only.
    #[error("{} and {}: two files of the same name; remove the one that is not meant", a.display(), b.display())]
    Twice {
        /// One.
        a: PathBuf,
        /// The other.
        b: PathBuf,
    },
    /// No such split.
    #[error("{}: no split {name}; the splits are {}", path.display(), there.join(", "))]
    NoSplit {
        /// The label set.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// A file that cannot be a mask.
    #[error("{}: {what}; {remedy}", path.display())]
    Mask {
        /// The mask.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A mask that is damaged.
    #[error("{}: cannot be decoded; is the file complete?", path.display())]
    Damaged {
        /// The mask.
        path: PathBuf,
        /// What the decoder said.
        source: png::DecodingError,
    },
    /// Image and mask differ in size.
    #[error(
        "{}: {}x{} pixels, but its mask {} has {}x{}; label the image as it is, or resize both (a mask without blending)",
        image.display(), image_size.0, image_size.1, mask.display(), mask_size.0, mask_size.1
    )]
    Size {
        /// The image.
        image: PathBuf,
        /// The mask.
        mask: PathBuf,
        /// Width and height of the image.
        image_size: (u32, u32),
        /// Width and height of the mask.
        mask_size: (u32, u32),
    },
    /// A pixel that belongs to no class.
    #[error("{}: {value} at column {x}, row {y} belongs to no class; {known}", path.display())]
    Value {
        /// The mask.
        path: PathBuf,
        /// `id 12` or `color (1, 2, 3)`.
        value: String,
        /// Column of the first such pixel.
        x: usize,
        /// Row of the first such pixel.
        y: usize,
        /// Which values are known, and the remedy.
        known: String,
    },
}

/// Paths, separated by commas.
fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Why none of these splits can be used.
pub(super) fn no_pairs(path: &Path, splits: &[LabelSplit]) -> LabelError {
    let (what, remedy) = why_empty(splits);
    LabelError::Empty { path: path.to_owned(), what, remedy }
}

/// What was found instead of images with masks, and what to do.
pub(super) fn why_empty(splits: &[LabelSplit]) -> (String, &'static str) {
    let sum = |count: fn(&LabelSplit) -> usize| splits.iter().map(count).sum::<usize>();
    let (missing, images, masks) =
        (sum(|s| s.missing.len()), sum(|s| s.unlabelled.len()), sum(|s| s.unpictured.len()));
    let first = |files: fn(&LabelSplit) -> &Vec<PathBuf>| {
        let first = splits.iter().flat_map(files).next();
        first.map(|path| format!(" (the first is {})", path.display())).unwrap_or_default()
    };
    match (missing, images, masks) {
        (0, 0, 0) => ("the folders or lists are empty".to_owned(), "put images and masks into them"),
        (0, images, 0) => (
            format!("{images} images{} and no masks", first(|s| &s.unlabelled)),
            "add the masks, with the names of the images",
        ),
        (0, 0, masks) => (
            format!("{masks} masks{} and no images", first(|s| &s.unpictured)),
            "add the images, with the names of the masks",
        ),
        (0, images, masks) => (
            format!(
                "{images} images{} and {masks} masks{} of other names",
                first(|s| &s.unlabelled),
                first(|s| &s.unpictured)
            ),
            "give each mask the name of its image",
        ),
        (missing, ..) => (
            format!("{missing} listed files do not exist{}", first(|s| &s.missing)),
            "put them beside the list, or remove the list to use all images",
        ),
    }
}
