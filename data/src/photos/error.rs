//! What can go wrong between photos and poses.

use std::path::PathBuf;

use super::advice;
use super::step::ColmapStep;
use crate::image::ImageError;
use crate::write::WriteError;

/// Why photos did not become a scene. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum PhotosError {
    /// A file or folder cannot be read or made.
    #[error("{}: cannot be read or made", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The work folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A photo cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// COLMAP's list of photos is text, one name a line.
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
        /// Pictures and videos of other kinds, by name.
        left_out: Vec<String>,
    },
    /// A video, not photos.
    #[error("{}: a video; take frames from it, and train on those:\n{}", path.display(), advice::frames(path))]
    Video {
        /// The video.
        path: PathBuf,
    },
    /// COLMAP is not installed.
    #[error("{}: bare photos, without poses, and COLMAP, which finds them, is not on the PATH\n{help}", path.display())]
    NoColmap {
        /// The photos.
        path: PathBuf,
        /// How to install it, and the commands to run instead.
        help: String,
    },
    /// It is on the PATH but does not work.
    #[error("colmap is on the PATH but does not run: {problem}; {}", advice::INSTALL)]
    Unusable {
        /// What it said.
        problem: String,
    },
    /// The work folder is someone else's.
    #[error("{}: not empty and not a work folder of nerve; move it away or give another --out", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// Another process finds poses in the work folder.
    #[error(
        "{}: {} finds these photos' poses there; wait for it, or give another --out", work.display(), advice::process(*holder)
    )]
    Busy {
        /// The work folder.
        work: PathBuf,
        /// The other process's id, where that can be read.
        holder: Option<u32>,
    },
    /// A step failed.
    #[error("COLMAP's {step} failed ({status}); its last words:\n{last}\nall of them are in {}; {}", log.display(), step.remedy())]
    Failed {
        /// Which.
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
    #[error("stopped; the same command goes on from {}", work.display())]
    Cancelled {
        /// The work folder.
        work: PathBuf,
    },
}
