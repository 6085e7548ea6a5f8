//! CLIP (Radford et al. 2021): an image encoder and a text encoder whose vectors agree in direction where image and text do.
//!
//! The image encoder is a backbone ([`crate::backbones::vit`], [`crate::backbones::clip_resnet`]) with a [`Projection`] that makes
//! vectors of its last map, one a place and one for the whole image; the text encoder is [`ClipText`]. [`Clip::open`] reads
//! files of OpenAI, open_clip and Hugging Face, in single or half precision, and finds out what they hold.
//!
//! Keys: `visual.` before the backbone's, `projection.`, `text.`, and `logit_scale`.
mod attention_pool;
mod config;
mod keys;
mod open;
mod projection;
mod published;

use nerve_core::graph::{Init, Mode, Result, Scope, Tensor, bail};

use crate::backbones::Backbone;
use crate::text::ClipText;

pub use attention_pool::{AttentionPool, AttentionPoolConfig};
pub use config::{ClipConfig, ImageConfig};
pub use keys::{ClipKeys, ProjectionKeys};
pub use open::{Opened, is_clip};
pub use projection::{Embedded, Projection, ProjectionConfig};
pub use published::PublishedClip;

/// What the logit scale begins as: the logarithm of 1 / 0.07.
const LOGIT_SCALE: f32 = 2.659_26;

/// A whole CLIP.
#[derive(Debug)]
pub struct Clip {
    backbone: Box<dyn Backbone>,
    projection: Projection,
    text: ClipText,
    logit_scale: Tensor,
}

impl Clip {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &ClipConfig) -> Result<Self> {
        Ok(Self {
            backbone: config.image.backbone().build(&scope.at("visual"))?,
            projection: Projection::new(&scope.at("projection"), &config.projection())?,
            text: ClipText::new(&scope.at("text"), &config.text)?,
            logit_scale: scope.weight("logit_scale", &[1], Init::Constant(LOGIT_SCALE))?,
        })
    }

    /// Vectors of images `(batch, height, width, 3)`, normalized by [`Backbone::normalise`]: of each whole, and of its places.
    ///
    /// # Errors
    /// If the images have another number of channels, or are too small.
    pub fn image(&self, images: &Tensor, mode: Mode) -> Result<Embedded> {
        self.projection.forward(&self.backbone.features(images, mode.into())?)
    }

    /// Tokens `(batch, tokens, channels)` of the image encoder, after its last norm, in the space of the texts.
    ///
    /// # Errors
    /// If the image encoder has an attention pool, or they have other channels.
    pub fn project(&self, tokens: &Tensor) -> Result<Tensor> {
        match &self.projection {
            Projection::Linear(layer) => layer.forward(tokens),
            Projection::Pool(_) => bail!("CLIP: tokens of an attention pool cannot be projected one by one"),
        }
    }

    /// The text encoder.
    #[must_use]
    pub fn text(&self) -> &ClipText {
        &self.text
    }

    /// The image encoder without its projection.
    #[must_use]
    pub fn backbone(&self) -> &dyn Backbone {
        &*self.backbone
    }

    /// The logarithm of what cosines are multiplied by, `(1)`.
    #[must_use]
    pub fn logit_scale(&self) -> &Tensor {
        &self.logit_scale
    }
}

#[cfg(test)]
mod tests;
