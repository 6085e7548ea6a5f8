//! LPIPS v0.1: how different two images look (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
//! Perceptual Metric", CVPR 2018; figures as of the authors' package `lpips`). 0 is the same, larger is more different.
//!
//! Both images go through the convolutions of AlexNet or VGG16, as trained on ImageNet. After five of the ReLUs, the
//! features of every pixel are scaled to length 1, and the squared differences are summed with a weight per channel
//! that was learned from people's judgments (the *heads*); the mean over pixels, summed over the five, is LPIPS:
//!
//! ```text
//! d(x, y) = sum over l of  1 / (H_l W_l)  sum over pixels, channels of  w_lc (x_l / (|x_l| + eps) - y_l / (|y_l| + eps))^2
//! ```
//!
//! Images are 8-bit RGB, brought to [-1, 1] and then to the package's shift and scale (equation 1; eps is 1e-10).
//! The weights are not part of nerve: [`Lpips::read`] takes torchvision's and the package's own files.
mod convolution;
mod distance;
mod keys;
mod network;

use std::path::PathBuf;

use crate::weights::WeightsError;

use keys::{HEADS, REMEDY};
pub use network::Network;

use convolution::{Convolution, Map, pool};
use network::Layer;

/// What is subtracted from each channel of an image in [-1, 1], and what it is divided by then.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
/// See [`SHIFT`].
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Weights that are not those of LPIPS, or images that it cannot compare.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LpipsError {
    /// A file of weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A folder that cannot be read.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What failed.
        error: std::io::Error,
    },
    /// Nothing that tells which network.
    #[error("LPIPS: no features.0.weight of AlexNet or VGG16 in {files}\n{REMEDY}")]
    NoNetwork {
        /// The files that were read.
        files: String,
    },
    /// There is a network, but no heads.
    #[error("LPIPS: {files} has the features of {network}, but not the learned heads ({HEADS})\n{REMEDY}")]
    NoHeads {
        /// The network.
        network: Network,
        /// The files that were read.
        files: String,
    },
    /// Arrays that are absent, unknown, of another shape, twice there, or not finite.
    #[error("LPIPS: {files} is not {network} with its heads:\n  {}\n{REMEDY}", problems.join("\n  "))]
    Keys {
        /// The network.
        network: Network,
        /// The files that were read.
        files: String,
        /// A line each.
        problems: Vec<String>,
    },
    /// Images that differ in size or have no pixels.
    #[error("LPIPS: got {a} and {b} values, expected {expected} in both")]
    Length {
        /// Values in the first image.
        a: usize,
        /// Values in the second image.
        b: usize,
        /// Values there should be.
        expected: usize,
    },
    /// Images that the network pools away.
    #[error(
        "LPIPS: an image of {width}x{height} pixels is too small for {network}, which needs {least} a side; \
         use larger views (a smaller --downscale)"
    )]
    TooSmall {
        /// The network.
        network: Network,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The least side.
        least: usize,
    },
}

/// The metric, with its weights.
#[derive(Debug)]
pub struct Lpips {
    network: Network,
    convolutions: Vec<Convolution>,
    /// A weight per channel after each of the five.
    heads: Vec<Vec<f32>>,
}

impl Lpips {
    /// Which network it is.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// The distance of two 8-bit RGB images, row by row with interleaved channels. Memory: four maps of the widest
    /// layer, 1 KiB a pixel with VGG16, 0.1 KiB with AlexNet. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`LpipsError::Length`] and [`LpipsError::TooSmall`].
    pub fn distance(&self, a: &[u8], b: &[u8], width: usize, height: usize) -> Result<f64, LpipsError> {
        let expected = width * height * 3;
        if a.len() != expected || b.len() != expected || expected == 0 {
            return Err(LpipsError::Length { a: a.len(), b: b.len(), expected });
        }
        let (network, least) = (self.network, self.network.least_side());
        if width.min(height) < least {
            return Err(LpipsError::TooSmall { network, width, height, least });
        }
        let layers = network.layers();
        let pad = |after: usize| match layers.get(after) {
            Some(Layer::Convolution { pad, .. }) => *pad,
            _ => 0,
        };
        let mut maps = [a, b].map(|image| input(image, width, height, pad(0)));
        let (mut convolutions, mut heads) = (self.convolutions.iter(), self.heads.iter());
        let mut sum = 0.0;
        for (i, layer) in layers.iter().enumerate() {
            match layer {
                Layer::Convolution { .. } => {
                    if let Some(convolution) = convolutions.next() {
                        // What follows a tap pads for itself.
                        maps = maps.map(|map| convolution.apply(&map, pad(i + 1)));
                    }
                }
                Layer::Pool { side, stride } => maps = maps.map(|map| pool(&map, *side, *stride, pad(i + 1))),
                Layer::Tap => {
                    if let Some(head) = heads.next() {
                        sum += distance::mean(&maps[0], &maps[1], head);
                    }
                    if pad(i + 1) > 0 {
                        maps = maps.map(|map| map.padded(pad(i + 1)));
                    }
                }
            }
        }
        Ok(sum)
    }
}

/// An image as the network sees it.
fn input(image: &[u8], width: usize, height: usize, pad: usize) -> Map {
    let mut map = Map::new(width, height, 3, pad);
    for (y, row) in image.chunks_exact(3 * width).enumerate() {
        for (out, value) in map.row_mut(y).chunks_exact_mut(3).zip(row.chunks_exact(3)) {
            for c in 0..3 {
                out[c] = (f32::from(value[c]) / 127.5 - 1.0 - SHIFT[c]) / SCALE[c];
            }
        }
    }
    map
}

#[cfg(test)]
mod tests;
