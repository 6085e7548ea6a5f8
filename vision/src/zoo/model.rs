//! Architectures and models of both kinds.
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;

use nerve_core::graph::{Mode, Result, Scope, Tensor};

use super::ModelKind;
use crate::backbones::{Backbone, BackboneConfig};
use crate::load::{Keys, WeightSource};

/// What a segmenter is made of, backbone and head together, as it was published.
pub trait SegmenterConfig: Any + Debug + Send + Sync {
    /// Builds what inference needs of it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    fn build(&self, scope: &Scope) -> Result<Box<dyn SegmentationModel>>;

    /// Names of its classes by their number.
    fn class_names(&self) -> &BTreeMap<String, String>;
}

/// A segmenter as it was published, backbone and head together.
pub trait SegmentationModel: Debug + Send + Sync {
    /// Scores `(batch, h, w, classes)` for normalized images `(batch, height, width, 3)`; they are yet to be resized to
    /// the image.
    ///
    /// # Errors
    /// If the images do not suit it.
    fn scores(&self, images: &Tensor, mode: Mode) -> Result<Tensor>;

    /// The translation of a file's keys for [`crate::load::load`].
    fn keys(&self, source: &WeightSource) -> Box<dyn Keys>;
}

/// What a model is made of.
#[derive(Debug)]
pub enum Architecture {
    /// Of a backbone.
    Backbone(Box<dyn BackboneConfig>),
    /// Of a segmenter.
    Segmenter(Box<dyn SegmenterConfig>),
}

impl Architecture {
    /// What such a model returns.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Backbone(_) => ModelKind::Backbone,
            Self::Segmenter(_) => ModelKind::Segmenter,
        }
    }

    /// The configuration, if it is a `C`.
    #[must_use]
    pub fn config<C: Any>(&self) -> Option<&C> {
        let config: &dyn Any = match self {
            Self::Backbone(config) => &**config,
            Self::Segmenter(config) => &**config,
        };
        config.downcast_ref()
    }

    /// Builds it over the variables of `scope`; of a segmenter only what inference needs.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    pub fn build(&self, scope: &Scope) -> Result<Model> {
        Ok(match self {
            Self::Backbone(config) => Model::Backbone(config.build(scope)?),
            Self::Segmenter(config) => Model::Segmenter(config.build(scope)?),
        })
    }
}

impl<C: BackboneConfig> From<C> for Architecture {
    fn from(config: C) -> Self {
        Self::Backbone(Box::new(config))
    }
}

/// A model of either kind.
#[derive(Debug)]
pub enum Model {
    /// A backbone.
    Backbone(Box<dyn Backbone>),
    /// A segmenter.
    Segmenter(Box<dyn SegmentationModel>),
}

impl Model {
    /// Of images `(batch, height, width, 3)`: a backbone's maps, finest first, or a segmenter's scores.
    ///
    /// # Errors
    /// If the images do not suit it.
    pub fn outputs(&self, images: &Tensor, mode: Mode) -> Result<Vec<Tensor>> {
        match self {
            Self::Backbone(model) => model.maps(images, mode),
            Self::Segmenter(model) => Ok(vec![model.scores(images, mode)?]),
        }
    }

    /// The translation of a file's keys for it, for [`crate::load::load`].
    #[must_use]
    pub fn keys(&self, source: &WeightSource) -> Box<dyn Keys> {
        match self {
            Self::Backbone(model) => model.keys(source, ""),
            Self::Segmenter(model) => model.keys(source),
        }
    }
}
