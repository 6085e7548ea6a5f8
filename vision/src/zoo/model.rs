//! A model of any kind.
use nerve_core::graph::{Mode, Result, Scope, Tensor};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::backbones::Backbone;
use crate::backbones::mit::{Mit, MitConfig, MitKeys};
use crate::backbones::swin::{Swin, SwinConfig, SwinKeys};
use crate::backbones::tiny_vit::{TinyVit, TinyVitConfig, TinyVitKeys};
use crate::backbones::vit::{Vit, VitConfig, VitKeys};
use crate::load::{Keys, Source};
use crate::segformer::{Segformer, SegformerConfig, SegformerKeys};
use crate::upernet::{UperNet, UperNetConfig};

/// What a model is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Config {
    /// A Swin transformer.
    Swin(SwinConfig),
    /// A vision transformer.
    Vit(VitConfig),
    /// A Mix Transformer.
    Mit(MitConfig),
    /// A TinyViT.
    TinyVit(TinyVitConfig),
    /// SegFormer.
    Segformer(SegformerConfig),
    /// UPerNet with a Swin transformer.
    UperNet(UperNetConfig),
}

impl Config {
    /// What such a model puts out.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Swin(_) | Self::Vit(_) | Self::Mit(_) | Self::TinyVit(_) => Kind::Backbone,
            Self::Segformer(_) | Self::UperNet(_) => Kind::Segmenter,
        }
    }
}

/// A model of any kind; of a segmenter only what is needed to answer.
#[derive(Clone, Debug)]
pub enum Model {
    /// A Swin transformer.
    Swin(Swin),
    /// A vision transformer.
    Vit(Vit),
    /// A Mix Transformer.
    Mit(Mit),
    /// A TinyViT.
    TinyVit(TinyVit),
    /// SegFormer.
    Segformer(Segformer),
    /// UPerNet.
    UperNet(Box<UperNet>),
}

impl Model {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables are there with other shapes.
    pub fn new(scope: &Scope, config: &Config) -> Result<Self> {
        Ok(match config {
            Config::Swin(config) => Self::Swin(Swin::new(scope, config)?),
            Config::Vit(config) => Self::Vit(Vit::new(scope, config)?),
            Config::Mit(config) => Self::Mit(Mit::new(scope, config)?),
            Config::TinyVit(config) => Self::TinyVit(TinyVit::new(scope, config)?),
            Config::Segformer(config) => Self::Segformer(Segformer::new(scope, config)?),
            Config::UperNet(config) => Self::UperNet(Box::new(UperNet::new(scope, config, false)?)),
        })
    }

    /// Of images `(batch, height, width, 3)`: a backbone's maps, finest first, or a segmenter's scores.
    ///
    /// # Errors
    /// If the images do not suit it.
    pub fn outputs(&self, images: &Tensor, mode: Mode) -> Result<Vec<Tensor>> {
        match self {
            Self::Swin(model) => model.maps(images, mode),
            Self::Vit(model) => model.maps(images, mode),
            Self::Mit(model) => model.maps(images, mode),
            Self::TinyVit(model) => model.maps(images, mode),
            Self::Segformer(model) => Ok(vec![model.forward(images, mode)?]),
            Self::UperNet(model) => Ok(vec![model.forward(images, mode)?.scores]),
        }
    }

    /// The translation of this file's keys for it, for [`crate::load::load`].
    #[must_use]
    pub fn keys(&self, source: &Source) -> Box<dyn Keys> {
        match self {
            Self::Swin(model) => Box::new(SwinKeys::of(source, "", model.config())),
            Self::Vit(model) => Box::new(VitKeys::of(source, model.config())),
            Self::Mit(_) => Box::new(MitKeys),
            Self::TinyVit(_) => Box::new(TinyVitKeys { neck: false }),
            Self::Segformer(_) => Box::new(SegformerKeys),
            Self::UperNet(model) => Box::new(model.keys(source)),
        }
    }
}
