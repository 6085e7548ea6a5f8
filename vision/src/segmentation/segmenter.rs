//! A segmenter: one network twice over the same variables, for training and for inference.
use std::path::Path;

use nerve_core::device;
use nerve_core::graph::{Device, Mode, Result, Tensor, VariableKind, Variables, graph_device};
use nerve_data::augment::Normalise;
use serde::Serialize;

use super::network::{BACKBONE, LANGUAGE, Network};
use super::{Method, ModelConfig, SegmentationError, SemanticSegmenter};
use crate::backbones::{Backbone, Branch, Pass};
use crate::denseclip::LanguageShape;
use crate::heads::Scores;
use crate::load::{Destination, Keys, LoadReport, WeightSource, load};
use crate::text::TextError;

/// Keys of a backbone's file, or of a whole segmenter's, whose heads are left out.
pub(crate) struct BackboneKeys {
    inner: Box<dyn Keys>,
    whole: bool,
}

impl BackboneKeys {
    /// Of this file, for this backbone.
    pub(crate) fn of(source: &WeightSource, backbone: &dyn Backbone) -> Self {
        let whole = source.shapes().any(|(name, _)| name.starts_with("decode_head."));
        Self { inner: backbone.keys(source, if whole { "backbone." } else { "" }), whole }
    }
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

/// How large a part of a segmenter is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartSummary {
    /// What its keys begin with.
    pub name: String,
    /// Its weights.
    pub weights: usize,
    /// Of them, those that are trained.
    pub trained: usize,
}

/// A segmenter and its variables.
pub struct Segmenter {
    variables: Variables,
    pub(super) training: Network,
    inference: Network,
    classes: usize,
    language: Option<LanguageShape>,
}

impl Segmenter {
    /// With random variables on `device`, without a language branch.
    ///
    /// # Errors
    /// If the configuration is contradictory, or the device cannot be used.
    pub fn new(
        config: &ModelConfig,
        classes: usize,
        seed: u64,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        Self::guided(config, None, classes, seed, device)
    }

    /// The same with a language branch of this shape, which is yet without texts.
    ///
    /// # Errors
    /// As [`Self::new`], or if the shape is not that of the method.
    pub fn guided(
        config: &ModelConfig,
        language: Option<&LanguageShape>,
        classes: usize,
        seed: u64,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        if language.is_some() != (config.method == Method::DenseClip) {
            return Err(TextError::None.into());
        }
        let variables = Variables::random(seed).on(graph_device(device)?);
        Ok(Self {
            training: Network::new(&variables.tracked(), config, language, classes, config.aux_weight > 0.0)?,
            inference: Network::new(&variables.detached(), config, language, classes, false)?,
            variables,
            classes,
            language: language.cloned(),
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
        let backbone = &self.training.backbone;
        let keys = BackboneKeys::of(&source, &**backbone);
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

    /// The shape of its language branch, if it has one.
    #[must_use]
    pub fn language(&self) -> Option<&LanguageShape> {
        self.language.as_ref()
    }

    /// Its parts by their keys, and how many weights each has.
    #[must_use]
    pub fn parts(&self) -> Vec<PartSummary> {
        let mut parts: Vec<PartSummary> = Vec::new();
        for (key, variable) in self.variables.all() {
            if variable.kind == VariableKind::Buffer {
                continue;
            }
            // Of the language branch each part by itself.
            let depth = if key.starts_with(LANGUAGE) { 2 } else { 1 };
            let name = key.split('.').take(depth).collect::<Vec<_>>().join(".");
            if parts.last().is_none_or(|part| part.name != name) {
                parts.push(PartSummary { name, weights: 0, trained: 0 });
            }
            if let Some(part) = parts.last_mut() {
                part.weights += variable.var.elem_count();
                part.trained += if variable.is_trainable() { variable.var.elem_count() } else { 0 };
            }
        }
        parts
    }

    /// The residual branches of its backbone.
    pub(super) fn branches(&self) -> Vec<Branch> {
        self.inference.backbone.branches()
    }

    /// [`SemanticSegmenter::infer`] in a pass of one's own.
    pub(super) fn infer_in(&self, images: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        Ok(self.inference.forward(images, pass)?.scores)
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Cosines `(batch, rows, columns, classes)` of the places of normalized images and the classes' texts, of a segmenter with a
    /// language branch; nothing is kept for a backward pass.
    ///
    /// # Errors
    /// If it has none, or the images are too small.
    pub fn score_map(&self, images: &Tensor) -> Result<Tensor> {
        self.inference.score_map(images)
    }

    /// Scores for normalized images `(batch, height, width, 3)`, through which gradients reach the variables; the auxiliary
    /// head's too, where the configuration has one.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn forward_train(&self, images: &Tensor, mode: Mode) -> Result<Scores> {
        self.training.forward(images, mode.into())
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
        self.infer_in(images, Mode::Eval.into())
    }
}
