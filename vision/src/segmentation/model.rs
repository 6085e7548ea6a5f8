//! A backbone with a head, twice over the same variables: one that gradients reach, one that only answers.
use std::path::Path;

use nerve_core::graph::{Mode, Result, Scope, Tensor, Variables, bail};
use nerve_core::ops::resize::bilinear;

use super::pyramid::{MAPS, Pyramid};
use super::{HeadKind, ModelConfig, SegmentationError, Segments};
use crate::backbones::swin::{SwinForm, SwinKeys};
use crate::backbones::vit::VitConfig;
use crate::backbones::{Backbone, Level};
use crate::heads::all_mlp::{AllMlp, AllMlpConfig};
use crate::heads::semantic_fpn::{SemanticFpn, SemanticFpnConfig};
use crate::heads::uper_net::{UperNetHead, UperNetHeadConfig};
use crate::load::{Keys, Place, Report, Source, load};
use crate::zoo::{Config, Model};

/// Keys of the backbone and of the head; a plain transformer's pyramid is part of the head, which learns it anew.
const BACKBONE: &str = "backbone";
const HEAD: &str = "head";
const PYRAMID: &str = "pyramid";
/// Sides of UPerNet's pooled grids, as published.
const POOLS: [usize; 4] = [1, 2, 3, 6];

/// The backbone's configuration for dense prediction: all stages of a hierarchical one; of a plain transformer four
/// depths, a quarter apart, each after the last norm (as DINOv2's and Segmenter's are).
fn backbone(config: &ModelConfig) -> Config {
    let drop_path = config.drop_path;
    let mut backbone = config.backbone.entry().config();
    match &mut backbone {
        Config::Swin(swin) => {
            swin.drop_path_rate = drop_path;
            swin.form = SwinForm::Dense;
        }
        Config::Vit(vit) => {
            let out = (1..=MAPS).map(|i| (i * vit.depth / MAPS).saturating_sub(1));
            *vit = VitConfig { drop_path, out: Some(out.collect()), norm_maps: true, ..vit.clone() };
        }
        Config::Mit(mit) => mit.drop_path_rate = drop_path,
        Config::TinyVit(tiny) => tiny.drop_path_rate = drop_path,
        Config::Segformer(_) | Config::UperNet(_) => (),
    }
    backbone
}

/// Any head.
enum Head {
    AllMlp(AllMlp),
    SemanticFpn(SemanticFpn),
    UperNet(Box<UperNetHead>),
}

impl Head {
    fn new(scope: &Scope, config: &ModelConfig, levels: &[Level], classes: usize) -> Result<Self> {
        let (width, dropout) = (config.width(), config.dropout);
        let channels = || levels.iter().map(|level| level.channels).collect();
        Ok(match config.head {
            HeadKind::AllMlp => {
                let config = AllMlpConfig { inputs: channels(), channels: width, classes, dropout };
                Self::AllMlp(AllMlp::new(scope, &config)?)
            }
            HeadKind::SemanticFpn => {
                // As published, the pyramid has twice the channels of what is added.
                let inputs = levels.to_vec();
                let config =
                    SemanticFpnConfig { inputs, pyramid: 2 * width, channels: width, classes, dropout };
                Self::SemanticFpn(SemanticFpn::new(scope, &config)?)
            }
            HeadKind::UperNet => {
                let (inputs, pool_scales) = (channels(), POOLS.to_vec());
                let config = UperNetHeadConfig { inputs, channels: width, pool_scales, classes };
                Self::UperNet(Box::new(UperNetHead::new(scope, &config)?))
            }
        })
    }

    fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor> {
        match self {
            Self::AllMlp(head) => head.forward(maps, mode),
            Self::SemanticFpn(head) => head.forward(maps, mode),
            Self::UperNet(head) => head.forward(maps, mode),
        }
    }
}

/// A network from normalised pictures to scores of classes.
struct Network {
    backbone: Model,
    /// Of a plain transformer, and the side of its patches.
    pyramid: Option<(Pyramid, usize)>,
    head: Head,
}

impl Network {
    fn new(scope: &Scope, config: &ModelConfig, classes: usize) -> Result<Self> {
        let backbone = Model::new(&scope.at(BACKBONE), &backbone(config))?;
        let scope = scope.at(HEAD);
        let (levels, pyramid) = match &backbone {
            Model::Vit(vit) => {
                let pyramid = Pyramid::new(&scope.at(PYRAMID), &vit.levels())?;
                (pyramid.levels().to_vec(), Some((pyramid, vit.config().patch)))
            }
            Model::Swin(model) => (model.levels(), None),
            Model::Mit(model) => (model.levels(), None),
            Model::TinyVit(model) => (model.levels(), None),
            Model::Segformer(_) | Model::UperNet(_) => bail!("{} is no backbone", config.backbone),
        };
        Ok(Self { head: Head::new(&scope, config, &levels, classes)?, pyramid, backbone })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        let Some((pyramid, patch)) = &self.pyramid else {
            return self.head.forward(&self.backbone.outputs(images, mode)?, mode);
        };
        // A transformer leaves out pixels that fill no patch, and scores would be shifted: the picture is brought to the
        // nearest size of whole patches.
        let (_, height, width, _) = images.dims4()?;
        let whole = [height, width].map(|side| ((side + patch / 2) / patch).max(1) * patch);
        let images = if whole == [height, width] { images.clone() } else { bilinear(images, whole, false)? };
        let maps = pyramid.forward(&self.backbone.outputs(&images, mode)?, mode)?;
        self.head.forward(&maps, mode)
    }
}

/// Keys of a backbone's file, or of a whole segmenter's, whose heads are not needed.
struct BackboneKeys {
    inner: Box<dyn Keys>,
    whole: bool,
}

impl Keys for BackboneKeys {
    fn place(&self, name: &str) -> Place {
        let heads = ["decode_head.", "auxiliary_head."];
        if name.ends_with("num_batches_tracked") || heads.iter().any(|head| name.starts_with(head)) {
            return Place::Ignored;
        }
        let name = if self.whole { name.strip_prefix("backbone.").unwrap_or(name) } else { name };
        self.inner.place(name)
    }

    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        self.inner.resize(key, values, from, to)
    }
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

    /// Takes over a backbone's published weights: timm's, Hugging Face's or the authors', of a classifier or of a
    /// segmenter; the head keeps what it has. The report says what was found, what was not needed, and what such files
    /// do not have.
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
        let whole = source.shapes().any(|(name, _)| name.starts_with("decode_head."));
        let inner: Box<dyn Keys> = match &self.learning.backbone {
            // Whose names they are shows in the backbone's own.
            Model::Swin(swin) if whole => Box::new(SwinKeys::of(&source, "backbone.", swin.config())),
            model => model.keys(&source),
        };
        let keys = BackboneKeys { inner, whole };
        let mut report = load(&self.variables, &prefix, &mut source, &keys)?;
        // Swin's classifiers have no norms of single stages.
        if matches!(self.learning.backbone, Model::Swin(_)) {
            let norm = |key: &String| key.starts_with(&format!("{prefix}norm"));
            (report.fresh, report.missing) = std::mem::take(&mut report.missing).into_iter().partition(norm);
        }
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
