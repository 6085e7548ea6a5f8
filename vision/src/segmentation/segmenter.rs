//! A segmenter: one network twice over the same variables, for training and for inference.
use std::path::Path;

use nerve_core::device;
use nerve_core::graph::{Device, Mode, Result, Tensor, Variables, graph_device};
use nerve_data::augment::Normalise;

use super::network::{BACKBONE, Network};
use super::{ModelConfig, SegmentationError, SemanticSegmenter};
use crate::heads::Scores;
use crate::load::{Destination, Keys, LoadReport, WeightSource, load};

/// Keys of a backbone's file, or of a whole segmenter's, whose heads are left out.
struct BackboneKeys {
    inner: Box<dyn Keys>,
    whole: bool,
}

impl Keys for BackboneKeys {
    fn destination(&self, name: &str) -> Destination {
        let heads = ["decode_head.", "auxiliary_head."];
        if name.ends_with("num_batches_tracked") || heads.iter().any(|head| name.starts_with(head)) {
            return Destination::Ignored;
        }
        let name = if self.whole { name.strip_prefix("backbone.").unwrap_or(name) } else { name };
        self.inner.destination(name)
    }

    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        self.inner.resize(key, values, from, to)
    }
}

/// A segmenter and its variables.
pub struct Segmenter {
    variables: Variables,
    training: Network,
    inference: Network,
    classes: usize,
}

impl Segmenter {
    /// With random variables on `device`.
    ///
    /// # Errors
    /// If the configuration is contradictory, or the device cannot be used.
    pub fn new(
        config: &ModelConfig,
        classes: usize,
        seed: u64,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        let variables = Variables::random(seed).on(graph_device(device)?);
        Ok(Self {
            training: Network::new(&variables.tracked(), config, classes, config.aux_weight > 0.0)?,
            inference: Network::new(&variables.detached(), config, classes, false)?,
            variables,
            classes,
        })
    }

    /// Loads a backbone's published weights: timm's, Hugging Face's or the authors', of a classifier or of a
    /// segmenter; the head keeps what it has. The report says what was found, what was not needed, and what such files
    /// do not have.
    ///
    /// # Errors
    /// If the source cannot be read, or is not of this backbone.
    pub fn load_backbone(
        &mut self,
        path: &Path,
        config: &ModelConfig,
    ) -> std::result::Result<LoadReport, SegmentationError> {
        let mut source = WeightSource::open(path)?;
        let prefix = format!("{BACKBONE}.");
        let whole = source.shapes().any(|(name, _)| name.starts_with("decode_head."));
        let backbone = &self.training.backbone;
        let inner = backbone.keys(&source, if whole { "backbone." } else { "" });
        let keys = BackboneKeys { inner, whole };
        let mut report = load(&self.variables, &prefix, &mut source, &keys)?;
        let optional = |key: &String| backbone.is_optional(key.strip_prefix(&prefix).unwrap_or(key));
        (report.fresh, report.missing) = std::mem::take(&mut report.missing).into_iter().partition(optional);
        report.strict().map_err(|error| match error {
            crate::load::LoadError::Incomplete(report) => {
                SegmentationError::Weights { backbone: config.backbone, report }
            }
            other => other.into(),
        })
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Scores for normalized images `(batch, height, width, 3)`, through which gradients reach the variables; the auxiliary
    /// head's too, where the configuration has one.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn forward_train(&self, images: &Tensor, mode: Mode) -> Result<Scores> {
        self.training.forward(images, mode)
    }
}

impl SemanticSegmenter for Segmenter {
    fn classes(&self) -> usize {
        self.classes
    }

    fn device(&self) -> &Device {
        self.variables.device()
    }

    fn normalise(&self) -> Normalise {
        self.training.backbone.normalise()
    }

    fn infer(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.inference.forward(images, Mode::Eval)?.scores)
    }
}
