//! UPerNet (Xiao et al. 2018) with a Swin transformer, as Hugging Face's `UperNetForSemanticSegmentation`
//! (`openmmlab/upernet-swin-tiny` and its kin).
use std::collections::BTreeMap;

use nerve_core::graph::{Mode, Result, Scope, Tensor, bail};
use serde::{Deserialize, Serialize};

use crate::backbones::swin::{Swin, SwinConfig, SwinForm, SwinKeys};
use crate::backbones::{Backbone, Level};
use crate::heads::fcn::{FcnHead, FcnHeadConfig};
use crate::heads::uper_net::{UperNetHead, UperNetHeadConfig};
use crate::heads::{AUXILIARY_MAP, Head, Scores};
use crate::load::{Destination, Keys, WeightSource};
use crate::zoo::{SegmentationModel, SegmenterConfig};

/// The backbone in Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UperNetBackbone {
    /// Must be `swin`.
    pub model_type: String,
    /// What it is made of.
    #[serde(flatten)]
    pub swin: SwinConfig,
}

/// Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UperNetConfig {
    /// The backbone.
    pub backbone_config: UperNetBackbone,
    /// Channels of the head.
    pub hidden_size: usize,
    /// Sides of the grids that the coarsest map is pooled to.
    pub pool_scales: Vec<usize>,
    /// Whether a second head learns from the third map.
    pub use_auxiliary_head: bool,
    /// Weight of its loss.
    pub auxiliary_loss_weight: f32,
    /// Channels of its map, if stated.
    pub auxiliary_in_channels: Option<usize>,
    /// Channels inside the head.
    pub auxiliary_channels: usize,
    /// Its convolutions.
    pub auxiliary_num_convs: usize,
    /// Whether it fuses the map and what became of it.
    pub auxiliary_concat_input: bool,
    /// Names of the classes by their number.
    pub id2label: BTreeMap<String, String>,
}

impl Default for UperNetConfig {
    fn default() -> Self {
        // As Hugging Face's: a configuration without names has two classes.
        Self::of(SwinConfig::tiny(), 2)
    }
}

impl UperNetConfig {
    /// With this Swin transformer as published, for this number of classes.
    #[must_use]
    pub fn of(swin: SwinConfig, classes: usize) -> Self {
        Self {
            backbone_config: UperNetBackbone {
                model_type: "swin".into(),
                swin: swin.with_form(SwinForm::Dense),
            },
            hidden_size: 512,
            pool_scales: vec![1, 2, 3, 6],
            use_auxiliary_head: true,
            auxiliary_loss_weight: 0.4,
            auxiliary_in_channels: None,
            auxiliary_channels: 256,
            auxiliary_num_convs: 1,
            auxiliary_concat_input: false,
            id2label: (0..classes).map(|i| (i.to_string(), format!("LABEL_{i}"))).collect(),
        }
    }
}

/// The whole segmenter.
#[derive(Clone, Debug)]
pub struct UperNet {
    backbone: Swin,
    head: UperNetHead,
    auxiliary: Option<FcnHead>,
}

impl UperNet {
    /// Finds or makes its variables at `backbone.`, `decode_head.` and `auxiliary_head.` of the scope. The auxiliary head
    /// is only needed to learn: without `auxiliary` it is not built.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &UperNetConfig, auxiliary: bool) -> Result<Self> {
        if config.backbone_config.model_type != "swin" {
            bail!("UPerNet: a backbone of `model_type` '{}', not swin", config.backbone_config.model_type);
        }
        let backbone = Swin::new(&scope.at("backbone"), &config.backbone_config.swin)?;
        let inputs: Vec<usize> = backbone.levels().iter().map(|Level { channels, .. }| *channels).collect();
        let classes = config.id2label.len();
        let auxiliary = if auxiliary && config.use_auxiliary_head {
            let Some(map) = inputs.get(AUXILIARY_MAP) else {
                bail!("UPerNet: an auxiliary head needs three maps, there are {}", inputs.len());
            };
            let head = FcnHeadConfig {
                inputs: config.auxiliary_in_channels.unwrap_or(*map),
                channels: config.auxiliary_channels,
                convs: config.auxiliary_num_convs,
                concat_input: config.auxiliary_concat_input,
                classes,
            };
            Some(FcnHead::new(&scope.at("auxiliary_head"), &head)?)
        } else {
            None
        };
        let head = UperNetHeadConfig {
            inputs,
            channels: config.hidden_size,
            pool_scales: config.pool_scales.clone(),
            classes,
        };
        Ok(Self { backbone, head: UperNetHead::new(&scope.at("decode_head"), &head)?, auxiliary })
    }

    /// Of normalized images `(batch, height, width, 3)`.
    ///
    /// # Errors
    /// If the images have other channels, or in training a batch is too small for the norms of the pooled maps.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Scores> {
        let maps = self.backbone.maps(images, mode)?;
        let auxiliary = match (&self.auxiliary, maps.get(AUXILIARY_MAP)) {
            (Some(head), Some(map)) => Some(head.forward(map, mode)?),
            _ => None,
        };
        Ok(Scores { scores: self.head.forward(&maps, mode)?, auxiliary, score_map: None })
    }

    /// Its backbone.
    #[must_use]
    pub fn backbone(&self) -> &Swin {
        &self.backbone
    }

    /// The translation of a file's keys for this model.
    #[must_use]
    pub fn keys(&self, source: &WeightSource) -> UperNetKeys {
        UperNetKeys {
            backbone: SwinKeys::of(source, "backbone.", self.backbone.config()),
            auxiliary: self.auxiliary.is_some(),
        }
    }
}

impl SegmentationModel for UperNet {
    fn scores(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        Ok(self.forward(images, mode)?.scores)
    }

    fn keys(&self, source: &WeightSource) -> Box<dyn Keys> {
        Box::new(Self::keys(self, source))
    }
}

impl SegmenterConfig for UperNetConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn SegmentationModel>> {
        Ok(Box::new(UperNet::new(scope, self, false)?))
    }

    fn class_names(&self) -> &BTreeMap<String, String> {
        &self.id2label
    }
}

/// Translates the keys of a published segmenter; see [`UperNet::keys`].
#[derive(Clone, Copy, Debug)]
pub struct UperNetKeys {
    backbone: SwinKeys,
    auxiliary: bool,
}

impl Keys for UperNetKeys {
    fn destination(&self, name: &str) -> Destination {
        if let Some(name) = name.strip_prefix("backbone.") {
            return self.backbone.destination(name).under("backbone.");
        }
        if name.ends_with("num_batches_tracked") || (name.starts_with("auxiliary_head.") && !self.auxiliary) {
            return Destination::Ignored;
        }
        let known = name.starts_with("decode_head.") || name.starts_with("auxiliary_head.");
        if known { Destination::Variable(name.to_owned()) } else { Destination::Unknown }
    }

    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        self.backbone.resize(key.strip_prefix("backbone.")?, values, from, to)
    }
}

#[cfg(test)]
mod tests {
    use nerve_core::graph::{Randomness, Variables};

    use super::*;
    use crate::check::gradient_reach;

    #[test]
    fn every_variable_has_a_gradient() {
        let swin = SwinConfig {
            embed_dim: 8,
            depths: vec![1, 2, 1],
            num_heads: vec![1, 2, 4],
            window_size: 3,
            ..SwinConfig::tiny()
        };
        let config = UperNetConfig { hidden_size: 6, auxiliary_channels: 5, ..UperNetConfig::of(swin, 3) };
        let images = crate::check::images(37, 50);
        let variables = Variables::random(3);
        let model = UperNet::new(&variables.tracked(), &config, true).expect("a model");
        let mode = Mode::Train(Randomness { seed: 1, step: 0 });
        let run = || {
            let Scores { scores, auxiliary, .. } = model.forward(&images, mode)?;
            assert_eq!(scores.dims(), [2, 10, 13, 3]);
            Ok([vec![scores], auxiliary.into_iter().collect()].concat())
        };
        gradient_reach(&variables, run).expect("all are reached");
    }

    #[test]
    fn other_backbones_are_refused() {
        let mut config = UperNetConfig::default();
        config.backbone_config.model_type = "convnext".into();
        let error =
            UperNet::new(&Variables::unset().detached(), &config, true).expect_err("refused").to_string();
        assert!(error.contains("'convnext', not swin"), "{error}");
    }
}
