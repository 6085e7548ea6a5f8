//! Errors of finding the poses of photos.

use std::path::PathBuf;

use super::advice;
use super::step::ColmapStep;
use crate::image::ImageError;
use crate::scene::{BadPhoto, Told};
use crate::write::WriteError;

/// Why the poses of photos could not be found. Each message ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PhotosError {
    /// A file or folder cannot be read or created.
    #[error("{}: cannot be read or created", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The work folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A photo cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Several photos cannot be used.
    #[error("{}: {}; copy them again, or leave them out with --skip-bad", path.display(), Told(bad))]
    BadPhotos {
        /// The folder.
        path: PathBuf,
        /// All of them.
        bad: Vec<BadPhoto>,
    },
    /// A name that COLMAP's list of photos, one name per line, cannot contain.
    #[error("{}: the name {problem}; rename the photo", path.display())]
    Name {
        /// The photo.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Too few photos for a scene.
    #[error("{}: {count} photos, too few for a scene; {}", path.display(), advice::more_photos(left_out))]
    TooFew {
        /// The folder.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// Names of pictures of kinds that cannot be read, and of videos.
        left_out: Vec<String>,
    },
    /// A video, not photos.
    #[error("{}: a video; extract frames and train on those:\n{}", path.display(), advice::frames(path))]
    Video {
        /// The video.
        path: PathBuf,
    },
    /// COLMAP is not installed.
    #[error("{}: photos without poses, and COLMAP, which estimates them, is not on the PATH\n{help}", path.display())]
    NoColmap {
        /// The photos.
        path: PathBuf,
        /// How to install it, and the commands to run instead.
        help: String,
    },
    /// COLMAP is on the PATH but does not work.
    #[error("colmap is on the PATH but does not run: {problem}; {}", advice::INSTALL)]
    Unusable {
        /// Its message.
        problem: String,
    },
    /// The work folder contains something else.
    #[error("{}: not empty and not a work folder of nerve; move it or give another --out", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// Another process uses the work folder.
    #[error(
        "{}: {} is estimating the poses of these photos there; wait for it, or give another --out", work.display(), advice::process(*holder)
    )]
    Busy {
        /// The work folder.
        work: PathBuf,
        /// The other process's id, where that can be read.
        holder: Option<u32>,
    },
    /// A step failed.
    #[error("COLMAP's {step} failed ({status}); its last output:\n{last}\nall of it is in {}; {}", log.display(), step.remedy())]
    Failed {
        /// The step.
        step: ColmapStep,
        /// The exit status.
        status: String,
        /// The last lines of its output.
        last: String,
        /// The log.
        log: PathBuf,
    },
    /// No two photos could be placed.
    #[error(
        "COLMAP could place none of the {photos} photos: {}; its output is in {}", advice::NO_MODEL, log.display()
    )]
    NoModel {
        /// How many photos there are.
        photos: usize,
        /// The log.
        log: PathBuf,
    },
    /// The user stopped it.
    #[error("stopped; the same command continues from {}", work.display())]
    Cancelled {
        /// The work folder.
        work: PathBuf,
    },
}
