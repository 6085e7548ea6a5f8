//! The configuration of a CLIP.
use serde::{Deserialize, Serialize};

use super::{AttentionPoolConfig, ProjectionConfig};
use crate::activation::Activation;
use crate::backbones::BackboneConfig;
use crate::backbones::clip_resnet::ClipResNetConfig;
use crate::backbones::vit::VitConfig;
use crate::text::ClipTextConfig;

/// The image encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageConfig {
    /// A vision transformer.
    Vit(VitConfig),
    /// A ResNet with an attention pool.
    ResNet(ClipResNetConfig),
}

impl ImageConfig {
    /// Its backbone.
    #[must_use]
    pub fn backbone(&self) -> Box<dyn BackboneConfig> {
        match self {
            Self::Vit(config) => Box::new(config.clone()),
            Self::ResNet(config) => Box::new(config.clone()),
        }
    }
}

/// A whole CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipConfig {
    /// The image encoder.
    pub image: ImageConfig,
    /// The text encoder; the space that it shares with the image encoder has its `embed` channels.
    pub text: ClipTextConfig,
}

impl ClipConfig {
    fn vit(config: VitConfig, width: usize, embed: usize) -> Self {
        Self { image: ImageConfig::Vit(config.clip()), text: ClipTextConfig::new(width, embed) }
    }

    fn resnet(config: ClipResNetConfig, width: usize) -> Self {
        let embed = config.embed;
        Self { image: ImageConfig::ResNet(config), text: ClipTextConfig::new(width, embed) }
    }

    /// OpenAI's ViT-B/32: 151 million parameters in all.
    #[must_use]
    pub fn vit_b32() -> Self {
        Self::vit(VitConfig::base(32), 512, 512)
    }

    /// OpenAI's ViT-B/16: 150 million.
    #[must_use]
    pub fn vit_b16() -> Self {
        Self::vit(VitConfig::base(16), 512, 512)
    }

    /// OpenAI's ViT-L/14: 428 million.
    #[must_use]
    pub fn vit_l14() -> Self {
        Self::vit(VitConfig::large(14), 768, 768)
    }

    /// OpenAI's RN50: 102 million.
    #[must_use]
    pub fn rn50() -> Self {
        Self::resnet(ClipResNetConfig::rn50(), 512)
    }

    /// OpenAI's RN101: 120 million.
    #[must_use]
    pub fn rn101() -> Self {
        Self::resnet(ClipResNetConfig::rn101(), 512)
    }

    /// OpenAI's RN50x4: 178 million.
    #[must_use]
    pub fn rn50x4() -> Self {
        Self::resnet(ClipResNetConfig::rn50x4(), 640)
    }

    /// The same with this activation in both transformers: open_clip's own models have the plain GELU.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        if let ImageConfig::Vit(vit) = &mut self.image {
            vit.activation = activation;
        }
        self.text.activation = activation;
        self
    }

    /// What makes vectors of the image encoder's features.
    #[must_use]
    pub fn projection(&self) -> ProjectionConfig {
        match &self.image {
            ImageConfig::Vit(vit) => ProjectionConfig::Linear { channels: vit.dim, embed: self.text.embed },
            ImageConfig::ResNet(net) => ProjectionConfig::Pool(AttentionPoolConfig {
                channels: net.channels(),
                heads: net.heads(),
                embed: net.embed,
                grid: [net.image / 32; 2],
            }),
        }
    }
}
