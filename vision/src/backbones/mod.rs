//! Backbones: from images to maps of features.
//!
//! Images are `(batch, height, width, 3)`, normalized as the checkpoint's authors did; maps are
//! `(batch, height, width, channels)`, finest first.
pub mod clip_resnet;
pub mod dinov3;
pub mod grid;
pub mod mit;
pub mod mlps;
pub(crate) mod parts;
mod prompts;
mod residual;
mod streams;
pub mod swin;
pub mod tiny_vit;
pub mod vit;

use std::any::Any;
use std::fmt::Debug;

use nerve_core::graph::{Mode, Result, Scope, Tensor, bail};
use nerve_data::augment::Normalise;
use serde::{Deserialize, Serialize};

use crate::load::{Keys, WeightSource};
pub use mlps::MlpForms;
pub use prompts::Prompts;
pub use residual::{Adapters, Branch, MlpTap, MlpTrace, Part, Pass};
pub use streams::{Stages, StreamLayer, StreamUpdates};

/// One of the maps that a backbone returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Its channels.
    pub channels: usize,
    /// Pixels of the image per cell, on each side. A size that is no multiple of it gives one cell more where the model
    /// pads, one less where it cuts.
    pub stride: usize,
}

/// What a backbone makes of images.
#[derive(Clone, Debug)]
pub struct Features {
    /// Maps, as [`Backbone::levels`] says.
    pub maps: Vec<Tensor>,
    /// One embedding an image, `(batch, channels)`, where the model has one: the class token of a ViT, the mean of the
    /// last map of a Swin classifier, each after the last norm.
    pub global: Option<Tensor>,
    /// The last map after the last norm, where a norm stands behind it.
    pub last: Option<Tensor>,
}

/// A network that turns images into maps.
pub trait Backbone: Debug + Send + Sync {
    /// The maps it returns, finest first.
    fn levels(&self) -> Vec<Level>;

    /// Its residual branches in the order in which a pass goes through them.
    fn branches(&self) -> Vec<Branch>;

    /// The features of images `(batch, height, width, 3)`.
    ///
    /// # Errors
    /// If the images have another number of channels or are too small.
    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features>;

    /// The maps of [`Self::features`] alone.
    ///
    /// # Errors
    /// See [`Self::features`].
    fn maps(&self, images: &Tensor, mode: Mode) -> Result<Vec<Tensor>> {
        Ok(self.features(images, mode.into())?.maps)
    }

    /// The translation of a file's keys for [`crate::load::load`]. `prefix` is what the file puts before the backbone's
    /// keys.
    fn keys(&self, source: &WeightSource, prefix: &str) -> Box<dyn Keys>;

    /// How images are normalized for its published weights.
    fn normalise(&self) -> Normalise {
        Normalise::default()
    }

    /// The number that the sides of images should be multiples of: pixels beyond it are cut off.
    fn image_multiple(&self) -> usize {
        1
    }

    /// The last blocks of its stages: what the keys of each begin with, and its number; none of a backbone that has no task
    /// streams.
    fn last_blocks(&self) -> Vec<(String, u32)> {
        Vec::new()
    }

    /// The maps of images, and what the last blocks were given.
    ///
    /// # Errors
    /// If the images are too small, or the backbone has no task streams.
    fn stages(&self, images: &Tensor, pass: Pass<'_>) -> Result<Stages> {
        let _ = (images, pass);
        bail!("this backbone has no task streams")
    }

    /// The maps of a task's stream, of what the last blocks were given.
    ///
    /// # Errors
    /// If there are other blocks, or the backbone has no task streams.
    fn stream(&self, ends: &[Tensor], updates: &dyn StreamUpdates) -> Result<Vec<Tensor>> {
        let _ = (ends, updates);
        bail!("this backbone has no task streams")
    }

    /// Whether passes may have prompt tokens.
    fn takes_prompts(&self) -> bool {
        false
    }

    /// Whether published files may lack the variable of this key, which then begins as it was drawn.
    ///
    /// Those of EUGen layers are in no published file.
    fn is_optional(&self, key: &str) -> bool {
        mlps::is_of_eugen(key)
    }
}

/// What a backbone is made of.
pub trait BackboneConfig: Any + Debug + Send + Sync {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>>;

    /// The same for dense prediction, with this rate of drop path at the last block: all stages of a hierarchical
    /// backbone, four depths of a plain one.
    fn dense(&self, drop_path: f32) -> Box<dyn BackboneConfig>;

    /// The same for DenseCLIP, as [`Self::dense`]; with `class_twice` a ViT adds its class token to its own position once
    /// more.
    fn language(&self, drop_path: f32, class_twice: bool) -> Box<dyn BackboneConfig> {
        let _ = class_twice;
        self.dense(drop_path)
    }

    /// The same with MLPs of these forms; none if they are always full.
    fn with_mlps(&self, mlps: &MlpForms) -> Option<Box<dyn BackboneConfig>> {
        let _ = mlps;
        None
    }

    /// The same as timm's program computes it.
    fn timm(&self) -> Box<dyn BackboneConfig>;
}
