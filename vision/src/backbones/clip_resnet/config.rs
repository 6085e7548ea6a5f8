//! The configuration of CLIP's ResNets.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

/// One of CLIP's ResNets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipResNetConfig {
    /// Bottlenecks of each stage.
    pub layers: [usize; 4],
    /// Channels after the stem; the last stage has 32 times as many.
    pub width: usize,
    /// Side of the images that it was trained on, in pixels: it gives the grid of positions of the attention pool.
    pub image: usize,
    /// Channels of the space that images and texts share.
    pub embed: usize,
}

impl Default for ClipResNetConfig {
    fn default() -> Self {
        Self::rn50()
    }
}

impl ClipResNetConfig {
    /// RN50: 24 million parameters without the attention pool.
    #[must_use]
    pub fn rn50() -> Self {
        Self { layers: [3, 4, 6, 3], width: 64, image: 224, embed: 1024 }
    }

    /// RN101: 42 million.
    #[must_use]
    pub fn rn101() -> Self {
        Self { layers: [3, 4, 23, 3], embed: 512, ..Self::rn50() }
    }

    /// RN50x4: 54 million.
    #[must_use]
    pub fn rn50x4() -> Self {
        Self { layers: [4, 6, 10, 6], width: 80, image: 288, embed: 640 }
    }

    /// Channels of the last stage.
    #[must_use]
    pub fn channels(&self) -> usize {
        32 * self.width
    }

    /// Heads of the attention pool: of 64 channels, as published.
    #[must_use]
    pub fn heads(&self) -> usize {
        (self.channels() / 64).max(1)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.layers.contains(&0) || self.width == 0 || !self.width.is_multiple_of(2) || self.image < 32 {
            bail!(
                "CLIP's ResNet: stages of {:?} blocks, width {} and images of {} pixels are not possible",
                self.layers,
                self.width,
                self.image
            );
        }
        Ok(())
    }
}
