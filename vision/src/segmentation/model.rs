//! A backbone with a head, twice over the same variables: one that gradients reach, one that only answers.
use std::path::Path;

use nerve_core::graph::{Mode, Result, Scope, Tensor, Variables};

use super::{BackboneKind, ModelConfig, SegmentationError, Segments};
use crate::backbones::Backbone;
use crate::backbones::mit::{Mit, MitConfig, MitKeys};
use crate::backbones::tiny_vit::{TinyVit, TinyVitConfig, TinyVitKeys};
use crate::heads::all_mlp::{AllMlp, AllMlpConfig};
use crate::load::{Report, Source, load};

/// Keys of the backbone and of the head.
const BACKBONE: &str = "backbone";
const HEAD: &str = "head";

/// A network from normalised pictures to scores of classes.
struct Network {
    backbone: Box<dyn Backbone>,
    head: AllMlp,
}

impl Network {
    fn new(scope: &Scope, config: &ModelConfig, classes: usize) -> Result<Self> {
        let at = scope.at(BACKBONE);
        let backbone: Box<dyn Backbone> = match config.backbone {
            BackboneKind::TinyVit => {
                let config = TinyVitConfig { drop_path_rate: config.drop_path, ..TinyVitConfig::default() };
                Box::new(TinyVit::new(&at, &config)?)
            }
            kind => Box::new(Mit::new(&at, &mit(kind, config.drop_path))?),
        };
        let head = AllMlpConfig {
            inputs: backbone.levels().iter().map(|level| level.channels).collect(),
            channels: config.head_width,
            classes,
            dropout: config.dropout,
        };
        Ok(Self { head: AllMlp::new(&scope.at(HEAD), &head)?, backbone })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        self.head.forward(&self.backbone.maps(images, mode)?, mode)
    }
}

fn mit(kind: BackboneKind, drop_path: f32) -> MitConfig {
    let size = match kind {
        BackboneKind::TinyVit | BackboneKind::MitB0 => 0,
        BackboneKind::MitB1 => 1,
        BackboneKind::MitB2 => 2,
        BackboneKind::MitB3 => 3,
        BackboneKind::MitB4 => 4,
        BackboneKind::MitB5 => 5,
    };
    MitConfig { drop_path_rate: drop_path, ..MitConfig::b(size).unwrap_or_default() }
}

/// A segmenter and its variables.
pub struct Segmenter {
    variables: Variables,
    learning: Network,
    answering: Network,
    classes: usize,
}

impl Segmenter {
    /// With random variables.
    ///
    /// # Errors
    /// If the configuration is contradictory.
    pub fn new(
        config: &ModelConfig,
        classes: usize,
        seed: u64,
    ) -> std::result::Result<Self, SegmentationError> {
        let variables = Variables::random(seed);
        Ok(Self {
            learning: Network::new(&variables.tracked(), config, classes)?,
            answering: Network::new(&variables.detached(), config, classes)?,
            variables,
            classes,
        })
    }

    /// Takes over a backbone's published weights; the head keeps what it has. The report says what was found.
    ///
    /// # Errors
    /// If the source cannot be read, or is not of this backbone.
    pub fn load_backbone(
        &mut self,
        path: &Path,
        config: &ModelConfig,
    ) -> std::result::Result<Report, SegmentationError> {
        let mut source = Source::open(path)?;
        let prefix = format!("{BACKBONE}.");
        let report = match config.backbone {
            BackboneKind::TinyVit => {
                load(&self.variables, &prefix, &mut source, &TinyVitKeys { neck: false })?
            }
            _ => load(&self.variables, &prefix, &mut source, &MitKeys)?,
        };
        Ok(report.strict()?)
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Whether a key is the head's.
    #[must_use]
    pub fn is_head(key: &str) -> bool {
        key.starts_with(HEAD)
    }

    /// Scores `(batch, h, w, classes)` on the grid of the finest map, for normalised images
    /// `(batch, height, width, 3)`; gradients reach the variables.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn learn(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        self.learning.forward(images, mode)
    }
}

impl Segments for Segmenter {
    fn classes(&self) -> usize {
        self.classes
    }

    fn answer(&self, images: &Tensor) -> Result<Tensor> {
        self.answering.forward(images, Mode::Eval)
    }
}
