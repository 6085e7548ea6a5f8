//! Settings of the demo scene with their ranges, and the errors of rendering and writing it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::image::ImageError;
use crate::write::WriteError;

/// Settings of the demo scene: number, size and smoothness of its views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemoConfig {
    /// Side of the square images in pixels, 1 to 4096.
    pub resolution: usize,
    /// Training views, 1 to 10,000.
    pub train: usize,
    /// Held-out views, 0 to 10,000.
    pub test: usize,
    /// Camera samples per pixel along each axis, 1 to 16.
    pub supersample: usize,
    /// Shadow rays per camera sample along each axis of the area light, 1 to 16.
    pub shadow: usize,
}

impl Default for DemoConfig {
    /// 60 training and 12 held-out views of 200 x 200 pixels.
    fn default() -> Self {
        Self { resolution: 200, train: 60, test: 12, supersample: 3, shadow: 2 }
    }
}

impl DemoConfig {
    /// Checks every field's range.
    ///
    /// # Errors
    /// [`DemoError::Config`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), DemoError> {
        check_ranges([
            ("resolution", self.resolution, 1, 4096),
            ("train", self.train, 1, 10_000),
            ("test", self.test, 0, 10_000),
            ("supersample", self.supersample, 1, 16),
            ("shadow", self.shadow, 1, 16),
        ])
    }
}

/// Checks settings, each with its name, its value and the smallest and largest that are allowed.
pub(super) fn check_ranges<const N: usize>(
    settings: [(&'static str, usize, usize, usize); N],
) -> Result<(), DemoError> {
    match settings.into_iter().find(|&(_, value, low, high)| value < low || value > high) {
        Some((field, value, low, high)) => Err(DemoError::Config { field, value, low, high }),
        None => Ok(()),
    }
}

/// Why the demo scene could not be rendered or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A setting is out of range.
    #[error("demo scene: `{field}` is {value}; give a number from {low} to {high}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What was given.
        value: usize,
        /// The smallest allowed value.
        low: usize,
        /// The largest allowed value.
        high: usize,
    },
    /// The output folder holds something else.
    #[error("{path}: not empty and not a demo scene (no demo.json); choose a new or empty folder")]
    Occupied {
        /// The output folder.
        path: PathBuf,
    },
    /// A file could not be written or read.
    #[error("{path}: {source}; check that the folder is writable and has space left")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An image could not be encoded.
    #[error("{path}: {source}; check that the folder is writable and has space left")]
    Image {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: image::ImageError,
    },
    /// The views cannot be downscaled as asked.
    #[error("demo scene: {0}")]
    Downscale(#[from] ImageError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A JSON file could not be encoded.
    #[error("{path}: {source}; please report this, the content is ours")]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}
