//! Errors of reading a scene's files.

use std::path::{Path, PathBuf};

use super::agreement::ChoiceError;
use super::bad_photo::{BadPhoto, Told};
use super::memory::MemoryEstimate;
use crate::image::ImageError;

/// Why a scene cannot be read. Each message names the file, the field in it and, where it is not obvious, the
/// remedy; the underlying cause is in [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// Neither a file nor a folder.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// No known format.
    #[error("{}: not a scene; looked for {}{hint}", path.display(), looked_for.join(", "))]
    Unrecognised {
        /// What was asked for.
        path: PathBuf,
        /// The files that formats are recognized by.
        looked_for: Vec<&'static str>,
        /// What it looks like instead, or nothing.
        hint: String,
    },
    /// A model that cannot be read, beside a scene in another format.
    #[error("{model}; or leave the model out: give {} itself, which is beside it", other.display())]
    Instead {
        /// What is wrong with the model.
        model: Box<SceneError>,
        /// The file of the other format.
        other: PathBuf,
    },
    /// Photos without poses.
    #[error(
        "{}: contains {} photos but no camera poses; estimate them with COLMAP (the package `colmap`): colmap \
         automatic_reconstructor --workspace_path {} --image_path {}",
        path.display(), images.len(), path.display(), folder.display()
    )]
    BarePhotos {
        /// What was asked for.
        path: PathBuf,
        /// Where the photos are: the folder itself, or its `images/`.
        folder: PathBuf,
        /// The photos, at least one, in natural order.
        images: Vec<PathBuf>,
    },
    /// A scene's own file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Not JSON, or a value of the wrong type.
    #[error("{}: {field}: {problem}", path.display())]
    Json {
        /// The JSON file.
        path: PathBuf,
        /// Where in it, such as `frames[3].transform_matrix[0][1]`.
        field: String,
        /// What the parser expected, and the line if it is known.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{}: {field}: {problem}", path.display())]
    Field {
        /// The JSON file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A depth map whose sides are not in the proportion of its image's.
    #[error(
        "{}: the depth map has {}x{} pixels but its image {} has {}x{}, which is not a uniform scaling; was one of them cropped \
         or rotated?",
        path.display(), found.0, found.1, image.display(), size.0, size.1
    )]
    DepthSize {
        /// The depth map.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// The image.
        image: PathBuf,
        /// Its width and height.
        size: (u32, u32),
    },
    /// The views that were asked for are not there.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// Photos that are there and cannot be used.
    #[error("{}: {}; copy them again, or leave them out with --skip-bad", path.display(), Told(bad))]
    BadPhotos {
        /// The scene's file or folder.
        path: PathBuf,
        /// All of them, at least one.
        bad: Vec<BadPhoto>,
    },
    /// Not one of the listed images exists.
    #[error(
        "{}: none of the {count} listed images exists, the first being {}; are the images beside the file?",
        path.display(), first.display()
    )]
    AllMissing {
        /// The scene's file or folder.
        path: PathBuf,
        /// How many are listed.
        count: usize,
        /// The first of them.
        first: PathBuf,
    },
    /// More memory than allowed.
    #[error(
        "{}: the images need {} MB and decoding them {} MB more, the limit is {} MB; use a larger downscale factor \
         or fewer images",
        path.display(), needed.images / 1_000_000, needed.decoding / 1_000_000, limit / 1_000_000
    )]
    Memory {
        /// The scene's file or folder.
        path: PathBuf,
        /// What loading it would take.
        needed: MemoryEstimate,
        /// What was allowed, in bytes.
        limit: u64,
    },
}

/// An error about one field's value.
pub(super) fn field_error(path: &Path, field: &str, problem: &str) -> SceneError {
    SceneError::Field { path: path.to_owned(), field: field.to_owned(), problem: problem.to_owned() }
}
