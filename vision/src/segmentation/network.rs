//! The network of a segmenter: a backbone, a head, and in training an auxiliary head.
use nerve_core::graph::{Mode, Result, Scope, Tensor, bail, cat};
use nerve_core::ops::resize::bilinear;

use super::pyramid::Pyramid;
use super::{HeadKind, Method, ModelConfig};
use crate::backbones::{Backbone, BackboneConfig, Level, Pass};
use crate::denseclip::{Language, LanguageShape};
use crate::heads::all_mlp::{AllMlp, AllMlpConfig};
use crate::heads::fcn::{FcnHead, FcnHeadConfig};
use crate::heads::semantic_fpn::{SemanticFpn, SemanticFpnConfig};
use crate::heads::uper_net::{UperNetHead, UperNetHeadConfig};
use crate::heads::{AUXILIARY_MAP, Head, Scores};

/// Keys of the backbone and of the heads; a plain transformer's pyramid is part of the head, which learns it anew.
pub(super) const BACKBONE: &str = "backbone";
pub(super) const LANGUAGE: &str = "language";
const HEAD: &str = "head";
const PYRAMID: &str = "pyramid";
const AUXILIARY: &str = "auxiliary_head";
/// Sides of UPerNet's pooled grids, as published.
const POOLS: [usize; 4] = [1, 2, 3, 6];

/// From normalized images to scores of classes.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) backbone: Box<dyn Backbone>,
    /// Of a plain transformer.
    pyramid: Option<Pyramid>,
    head: Box<dyn Head>,
    auxiliary: Option<FcnHead>,
    /// The language branch, and the map that its scores are more channels of.
    language: Option<(Language, usize)>,
}

impl Network {
    /// Builds it over the variables of `scope`. An auxiliary head is only needed for its loss.
    ///
    /// # Errors
    /// If the configuration is contradictory, or variables exist with other shapes.
    pub(super) fn new(
        scope: &Scope,
        config: &ModelConfig,
        language: Option<&LanguageShape>,
        classes: usize,
        auxiliary: bool,
    ) -> Result<Self> {
        let at = scope.at(BACKBONE);
        let at = if config.freeze_backbone { at.frozen() } else { at };
        let mut published = backbone(config);
        if !config.mlps.are_full() {
            let Some(rebuilt) = published.with_mlps(&config.mlps) else {
                bail!("{}: its MLPs cannot be built otherwise", config.backbone);
            };
            published = rebuilt;
        }
        let backbone = published.build(&at)?;
        config.mlps.check(&backbone.branches())?;
        let head = scope.at(HEAD);
        let mut levels = backbone.levels();
        // A plain transformer's maps are all of one stride.
        let plain = levels.windows(2).all(|pair| pair[0].stride == pair[1].stride);
        let pyramid =
            plain.then(|| Pyramid::new(&head.at(PYRAMID), &levels, language.is_some())).transpose()?;
        if let Some(pyramid) = &pyramid {
            levels = pyramid.levels().to_vec();
        }
        let language = match language {
            Some(shape) => {
                let place = scored(&backbone.levels(), &levels)?;
                levels[place].channels += shape.classes;
                Some((Language::new(&scope.at(LANGUAGE), shape)?, place))
            }
            None => None,
        };
        let auxiliary = auxiliary.then(|| auxiliary_head(&scope.at(AUXILIARY), config, &levels, classes));
        Ok(Self {
            head: main_head(&head, config, &levels, classes)?,
            auxiliary: auxiliary.transpose()?,
            pyramid,
            backbone,
            language,
        })
    }

    /// The score map of the language branch alone, of images `(batch, height, width, 3)`.
    ///
    /// # Errors
    /// If there is no such branch, or they are too small.
    pub(super) fn score_map(&self, images: &Tensor) -> Result<Tensor> {
        let Some((language, _)) = &self.language else { bail!("there is no language branch") };
        let features = self.backbone.features(&self.fitted(images)?, Mode::Eval.into())?;
        Ok(language.forward(&features, Mode::Eval)?.scores)
    }

    /// Pixels that a backbone cuts off would shift the scores: the image is resized to the nearest size that it keeps.
    fn fitted(&self, images: &Tensor) -> Result<Tensor> {
        let (_, height, width, _) = images.dims4()?;
        let multiple = self.backbone.image_multiple();
        let whole = [height, width].map(|side| ((side + multiple / 2) / multiple).max(1) * multiple);
        if whole == [height, width] { Ok(images.clone()) } else { bilinear(images, whole, false) }
    }

    /// The features of images `(batch, height, width, 3)`.
    ///
    /// # Errors
    /// If they are too small.
    pub(super) fn forward(&self, images: &Tensor, pass: Pass<'_>) -> Result<Scores> {
        let mode = pass.mode;
        let features = self.backbone.features(&self.fitted(images)?, pass)?;
        let found = match &self.language {
            Some((language, place)) => Some((language.forward(&features, mode)?.scores, *place)),
            None => None,
        };
        let mut maps = features.maps;
        if let Some(pyramid) = &self.pyramid {
            maps = pyramid.forward(&maps, mode)?;
        }
        if let Some((scores, place)) = &found {
            maps[*place] = cat(&[&maps[*place], scores], 3)?;
        }
        let auxiliary = match (&self.auxiliary, maps.get(AUXILIARY_MAP)) {
            (Some(head), Some(map)) => Some(head.forward(map, mode)?),
            _ => None,
        };
        let score_map = found.map(|(scores, _)| scores);
        Ok(Scores { scores: self.head.forward(&maps, mode)?, auxiliary, score_map })
    }
}

/// The backbone as the method wants it.
pub(super) fn backbone(config: &ModelConfig) -> Box<dyn BackboneConfig> {
    let backbone = config.backbone.config();
    match config.method {
        Method::Plain => backbone.dense(config.drop_path),
        Method::DenseClip => backbone.language(config.drop_path, config.language.class_twice),
    }
}

/// The map that has the grid of the backbone's last, which vectors of places are made of.
fn scored(backbone: &[Level], levels: &[Level]) -> Result<usize> {
    let stride = backbone.last().map(|level| level.stride);
    match levels.iter().position(|level| Some(level.stride) == stride) {
        Some(place) => Ok(place),
        None => bail!("language: no map has the grid of the backbone's last"),
    }
}

fn main_head(scope: &Scope, config: &ModelConfig, levels: &[Level], classes: usize) -> Result<Box<dyn Head>> {
    let (width, dropout) = (config.width(), config.dropout);
    let channels = || levels.iter().map(|level| level.channels).collect();
    Ok(match config.head {
        HeadKind::AllMlp => {
            let config = AllMlpConfig { inputs: channels(), channels: width, classes, dropout };
            Box::new(AllMlp::new(scope, &config)?)
        }
        HeadKind::SemanticFpn => {
            // As published, the pyramid has twice the channels of what is added.
            let inputs = levels.to_vec();
            let pyramid = if config.method == Method::DenseClip { width } else { 2 * width };
            let config = SemanticFpnConfig { inputs, pyramid, channels: width, classes, dropout };
            Box::new(SemanticFpn::new(scope, &config)?)
        }
        HeadKind::UperNet => {
            let (inputs, pool_scales) = (channels(), POOLS.to_vec());
            let config = UperNetHeadConfig { inputs, channels: width, pool_scales, classes };
            Box::new(UperNetHead::new(scope, &config)?)
        }
    })
}

/// As UPerNet's is published: one convolution, half the channels of the head.
fn auxiliary_head(scope: &Scope, config: &ModelConfig, levels: &[Level], classes: usize) -> Result<FcnHead> {
    let Some(level) = levels.get(AUXILIARY_MAP) else {
        bail!("an auxiliary head needs three maps, and {} has {}", config.backbone, levels.len());
    };
    let channels = (config.width() / 2).max(1);
    let config = FcnHeadConfig { inputs: level.channels, channels, convs: 1, concat_input: false, classes };
    FcnHead::new(scope, &config)
}
