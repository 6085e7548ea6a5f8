//! SegFormer (Xie et al. 2021): the Mix Transformer with the All-MLP head, as Hugging Face's
//! `SegformerForSemanticSegmentation` (`nvidia/segformer-b0-finetuned-ade-512-512` and its kin).
use std::collections::BTreeMap;

use nerve_core::graph::{Mode, Result, Scope, Tensor};
use serde::{Deserialize, Serialize};

use crate::backbones::Backbone;
use crate::backbones::mit::{Mit, MitConfig, published};
use crate::heads::Head;
use crate::heads::all_mlp::{AllMlp, AllMlpConfig};
use crate::load::{Destination, Keys, WeightSource, renamed};
use crate::zoo::{SegmentationModel, SegmenterConfig};

/// Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegformerConfig {
    /// The encoder.
    #[serde(flatten)]
    pub encoder: MitConfig,
    /// Channels of the head.
    pub decoder_hidden_size: usize,
    /// Dropout before the classifier, in training.
    pub classifier_dropout_prob: f32,
    /// Names of the classes by their number.
    pub id2label: BTreeMap<String, String>,
}

impl Default for SegformerConfig {
    fn default() -> Self {
        // As Hugging Face's: a configuration without names has two classes.
        let id2label = (0..2).map(|i| (i.to_string(), format!("LABEL_{i}"))).collect();
        let encoder = MitConfig::default();
        Self { encoder, decoder_hidden_size: 256, classifier_dropout_prob: 0.1, id2label }
    }
}

impl SegformerConfig {
    /// B0 to B5 as published, for this number of classes; none beyond.
    #[must_use]
    pub fn b(size: usize, classes: usize) -> Option<Self> {
        let encoder = MitConfig::b(size)?;
        let decoder_hidden_size = if size < 2 { 256 } else { 768 };
        let id2label = (0..classes).map(|i| (i.to_string(), format!("LABEL_{i}"))).collect();
        Some(Self { encoder, decoder_hidden_size, id2label, ..Self::default() })
    }

    /// What its head is made of.
    #[must_use]
    pub fn head(&self) -> AllMlpConfig {
        AllMlpConfig {
            inputs: self.encoder.hidden_sizes.clone(),
            channels: self.decoder_hidden_size,
            classes: self.id2label.len(),
            dropout: self.classifier_dropout_prob,
        }
    }
}

/// The whole segmenter.
#[derive(Clone, Debug)]
pub struct Segformer {
    encoder: Mit,
    head: AllMlp,
}

impl Segformer {
    /// Finds or makes its variables at `segformer.` and `decode_head.` of the scope.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &SegformerConfig) -> Result<Self> {
        let encoder = Mit::new(&scope.at("segformer"), &config.encoder)?;
        Ok(Self { encoder, head: AllMlp::new(&scope.at("decode_head"), &config.head())? })
    }

    /// x is `(batch, height, width, 3)`, normalized; the result is `(batch, height / 4, width / 4, classes)`, rounded
    /// up: scores that are yet to be resized to the image.
    ///
    /// # Errors
    /// If the image is too small (see [`Mit`]).
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.head.forward(&self.encoder.maps(x, mode)?, mode)
    }
}

impl SegmentationModel for Segformer {
    fn scores(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        self.forward(images, mode)
    }

    fn keys(&self, _: &WeightSource) -> Box<dyn Keys> {
        Box::new(SegformerKeys)
    }
}

impl SegmenterConfig for SegformerConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn SegmentationModel>> {
        Ok(Box::new(Segformer::new(scope, self)?))
    }

    fn class_names(&self) -> &BTreeMap<String, String> {
        &self.id2label
    }
}

/// Keys of published segmenters, for a [`Segformer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegformerKeys;

impl Keys for SegformerKeys {
    fn destination(&self, name: &str) -> Destination {
        if name.ends_with("num_batches_tracked") {
            return Destination::Ignored;
        }
        let (part, key) = match name.split_once('.') {
            Some(("segformer", rest)) => ("encoder.", format!("segformer.{}", published(rest))),
            _ => ("decode_head.", renamed(name, &[("linear_projections", "linear_c")])),
        };
        let known = key.strip_prefix("segformer.").unwrap_or(&key).starts_with(part);
        if known { Destination::Variable(key) } else { Destination::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_files_and_of_the_present_program_are_known() {
        let known = [
            ("segformer.encoder.layer_norm.3.bias", "segformer.encoder.layer_norm.3.bias"),
            ("segformer.stages.1.blocks.0.mlp.fc1.bias", "segformer.encoder.block.1.0.mlp.dense1.bias"),
            ("decode_head.linear_c.2.proj.weight", "decode_head.linear_c.2.proj.weight"),
            ("decode_head.linear_projections.2.proj.weight", "decode_head.linear_c.2.proj.weight"),
            ("decode_head.batch_norm.running_mean", "decode_head.batch_norm.running_mean"),
        ];
        for (name, key) in known {
            assert_eq!(SegformerKeys.destination(name), Destination::Variable(key.to_owned()), "{name}");
        }
        assert_eq!(
            SegformerKeys.destination("decode_head.batch_norm.num_batches_tracked"),
            Destination::Ignored
        );
        for name in ["classifier.bias", "segformer.pooler.bias", "encoder.layer_norm.3.bias"] {
            assert_eq!(SegformerKeys.destination(name), Destination::Unknown, "{name}");
        }
    }

    #[test]
    fn a_published_file_is_read() {
        let json = r#"{"architectures": ["SegformerForSemanticSegmentation"], "decoder_hidden_size": 768,
            "depths": [3, 4, 6, 3], "hidden_act": "gelu", "hidden_sizes": [64, 128, 320, 512],
            "id2label": {"0": "wall", "1": "building", "10": "road"}, "reshape_last_stage": true}"#;
        let config: SegformerConfig = serde_json::from_str(json).expect("read");
        assert_eq!(Some(&config.encoder), MitConfig::b(2).as_ref());
        let head = config.head();
        assert_eq!((head.channels, head.classes, head.inputs), (768, 3, vec![64, 128, 320, 512]));
        let written = serde_json::to_string(&config).expect("written");
        assert_eq!(serde_json::from_str::<SegformerConfig>(&written).expect("read again"), config);
    }
}
