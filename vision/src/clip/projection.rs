//! From a backbone's features to vectors in the space of the texts.
use nerve_core::graph::{Result, Scope, Tensor, bail};
use nerve_core::layers::Linear;
use serde::{Deserialize, Serialize};

use super::{AttentionPool, AttentionPoolConfig};
use crate::backbones::Features;

/// Images in the space of the texts.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Of a whole image, `(batch, embed)`.
    pub global: Tensor,
    /// Of its places, `(batch, rows, columns, embed)`.
    pub map: Tensor,
}

/// How vectors are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionConfig {
    /// A linear map of a ViT's class token and patches, after the last norm: CLIP's ViTs.
    Linear {
        /// Channels of a token.
        channels: usize,
        /// Channels of the vectors.
        embed: usize,
    },
    /// An attention pool over the last map: CLIP's ResNets, and any other backbone.
    Pool(AttentionPoolConfig),
}

impl ProjectionConfig {
    /// Channels of the vectors.
    #[must_use]
    pub fn embed(&self) -> usize {
        match self {
            Self::Linear { embed, .. } => *embed,
            Self::Pool(pool) => pool.embed,
        }
    }
}

/// What makes vectors. Keys: `weight`, or those of [`AttentionPool`].
#[derive(Clone, Debug)]
pub enum Projection {
    /// See [`ProjectionConfig::Linear`].
    Linear(Linear),
    /// See [`ProjectionConfig::Pool`].
    Pool(AttentionPool),
}

impl Projection {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &ProjectionConfig) -> Result<Self> {
        Ok(match config {
            ProjectionConfig::Linear { channels, embed } => {
                Self::Linear(Linear::without_bias(scope, *channels, *embed)?)
            }
            ProjectionConfig::Pool(config) => Self::Pool(AttentionPool::new(scope, config)?),
        })
    }

    /// The vectors of images, from what the backbone made of them.
    ///
    /// # Errors
    /// If the features are not those that it was built for.
    pub fn forward(&self, features: &Features) -> Result<Embedded> {
        let Some(map) = features.last.as_ref().or(features.maps.last()) else {
            bail!("a projection needs a map");
        };
        match self {
            Self::Pool(pool) => pool.forward(map),
            Self::Linear(layer) => {
                let Some(global) = &features.global else { bail!("a projection needs a class token") };
                Ok(Embedded { global: layer.forward(global)?, map: layer.forward(map)? })
            }
        }
    }
}
