//! Errors of images, masks and depth maps.

use std::path::PathBuf;

use super::{MAX_PIXELS, MAX_SIDE};

/// Why an image, mask or depth map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not a PNG, JPEG or WebP, or of a kind that is not supported.
    #[error("{}: {what}; {remedy}", path.display())]
    Format {
        /// The image.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A mask whose sides are not in the proportion of its image's.
    #[error(
        "{}: the mask has {}x{} pixels but its image {} has {}x{}, which is not a uniform scaling; make them the \
         same size",
        path.display(), found.0, found.1, image.display(), size.0, size.1
    )]
    MaskSize {
        /// The mask.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// The image.
        image: PathBuf,
        /// Its width and height.
        size: (u32, u32),
    },
    /// A picture of an image's alpha that does not cover it pixel by pixel.
    #[error(
        "{}: the alpha has {}x{} pixels but its image {} has {}x{}; make them the same size",
        path.display(), found.0, found.1, image.display(), size.0, size.1
    )]
    AlphaSize {
        /// The alpha.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// The image.
        image: PathBuf,
        /// Its width and height.
        size: (u32, u32),
    },
    /// The file ends early.
    #[error("{}: the file is truncated, it ends after {length} bytes; copy it again, or remove it", path.display())]
    Truncated {
        /// The image.
        path: PathBuf,
        /// How long it is.
        length: u64,
    },
    /// The size in the header has a side of 0.
    #[error("{}: its header states {width}x{height} pixels; the file is damaged, copy it again", path.display())]
    Empty {
        /// The image.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The file is damaged, or the decoder does not support its kind.
    #[error("{}: cannot be decoded; is the file complete?", path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: ::image::ImageError,
    },
    /// Not a depth map.
    #[error("{}: not a depth map: {reason}", path.display())]
    Depth {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The header states more pixels than are accepted.
    #[error(
        "{}: its header states {width}x{height} pixels, more than the limit of {MAX_SIDE} a side and {MAX_PIXELS} \
         in all; resize it",
        path.display()
    )]
    TooLarge {
        /// The image.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Pixel data and dimensions disagree.
    #[error("{width}x{height} pixels with {channels} channels need another number of bytes than {bytes}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes a pixel: 3 or 4.
        channels: u8,
        /// How many bytes were given.
        bytes: usize,
    },
    /// A downscale factor of 0, or larger than a side.
    #[error("{width}x{height} pixels cannot be downscaled by {by}; use a factor from 1 to the shorter side")]
    Downscale {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The factor asked for.
        by: u32,
    },
}
