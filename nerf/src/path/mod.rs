//! Ways of a camera through a trained scene: orbits, spirals, the way of the training cameras, and files.
//!
//! All poses are camera-to-world in the capture's own frame and units. What is found here stands on the cameras that a
//! model keeps of its training ([`Capture`](crate::Capture)): where they look, which way is up, and how far away they are.

mod file;
mod orbit;
mod spline;
mod surroundings;
mod through;

pub use file::{NormalizedFrame, PathFile, read};
pub use orbit::{Orbit, orbit, spiral};
pub use spline::{Key, interpolate};
pub use surroundings::Surroundings;
pub(crate) use through::is_way;
pub use through::through;

use nerve_data::{Camera, Intrinsics};
use std::path::PathBuf;

/// A frame to render.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What it is called, in files.
    pub name: String,
    /// The camera.
    pub camera: Camera,
}

/// Why there is no such path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Nothing is known of the cameras.
    #[error(
        "the model was saved without cameras, by an earlier nerve: resume it for a step, or give a camera path by a file"
    )]
    NoCameras,
    /// There is nothing to go around.
    #[error("the training cameras look at no common place, so there is nothing to orbit: use --path cameras")]
    NoFocus,
    /// A path needs more than one place.
    #[error(
        "the training cameras stand in one place, so there is no way through them: use --path orbit, or a file"
    )]
    OnePlace,
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
}

/// A lens without distortion that shows so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Vertical field of view in radians.
    pub fov: f64,
}

impl Lens {
    /// The lens with the field of view of a camera, at another size if one is given.
    #[must_use]
    pub fn of(intrinsics: &Intrinsics, size: Option<[u32; 2]>) -> Self {
        let Intrinsics { width, height, fy, .. } = *intrinsics;
        let fov = 2.0 * (f64::from(height) / 2.0 / fy).atan();
        Self { size: size.unwrap_or([width, height]), fov }
    }

    /// As the intrinsics of a camera: square pixels, the principal point in the middle.
    #[must_use]
    pub fn intrinsics(&self) -> Intrinsics {
        let [width, height] = self.size;
        let focal = f64::from(height) / 2.0 / (self.fov / 2.0).tan();
        Intrinsics::pinhole(width, height, focal, focal)
    }
}

#[cfg(test)]
mod tests;
