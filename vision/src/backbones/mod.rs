//! Backbones: from images to maps of features.
//!
//! Images are `(batch, height, width, 3)`, normalised as the checkpoint's authors did; maps are
//! `(batch, height, width, channels)`, finest first.
pub mod grid;
pub mod mit;
pub mod parts;
pub mod swin;
pub mod tiny_vit;
pub mod vit;

use nerve_core::graph::{Mode, Result, Tensor};
use serde::{Deserialize, Serialize};

/// One of the maps that a backbone puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Its channels.
    pub channels: usize,
    /// Pixels of the image per cell, on each side. A size that is no multiple of it gives one cell more where the model
    /// pads, one less where it cuts.
    pub stride: usize,
}

/// What heads need of a backbone.
pub trait Backbone {
    /// The maps it puts out, finest first.
    fn levels(&self) -> Vec<Level>;

    /// The maps of images `(batch, height, width, 3)`, as [`Self::levels`] says.
    ///
    /// # Errors
    /// If the images have another number of channels or are too small.
    fn maps(&self, images: &Tensor, mode: Mode) -> Result<Vec<Tensor>>;
}
