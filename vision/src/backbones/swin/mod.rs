//! Swin transformers (Liu et al. 2021, "Hierarchical Vision Transformer using Shifted Windows").
//!
//! Patches of 4x4 pixels go through four stages of blocks; between stages 2x2 cells become one of twice the channels. In a
//! block, tokens attend to those of their window, which in every second block is shifted by half its side. Images may
//! have any size: patches are padded, maps of odd sides are padded before they are merged, and windows at the border
//! are filled up.
//!
//! Keys are timm's: `patch_embed.{proj,norm}`, `layers.I.downsample.{norm,reduction}` (of the stage that it leads to),
//! `layers.I.blocks.J.{norm1,attn,norm2,mlp}`, and `norm` of the last stage or, in the dense form, `normI` of each stage
//! whose output is a map. [`SwinKeys`] reads timm's, Hugging Face's and the authors' files.
mod attention;
mod config;
mod keys;

use nerve_core::graph::{Result, Scope, Tensor, bail, cat, permute, reshape};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::add::add;

pub use config::{SwinConfig, SwinForm};
pub use keys::SwinKeys;

use super::parts::{Edge, Mlp, Patches, drop_path_rates};
use super::prompts::entering;
use super::residual::residual;
use super::streams::{Streamed, stream};
use super::{Backbone, BackboneConfig, Branch, Features, Level, MlpForms, Pass, Stages, StreamUpdates};
use crate::activation::Activation;
use crate::load::{Keys, WeightSource};
use attention::Attention;

/// The epsilon of norms that configurations leave out.
const EPS: f64 = 1e-5;

#[derive(Clone, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    rate: f32,
    branches: [Branch; 2],
}

impl Block {
    /// With the prompts that come from the block before, if there are any.
    fn forward(
        &self,
        x: &Tensor,
        prompts: Option<Tensor>,
        pass: Pass<'_>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        match entering(pass.prompts, self.branches[0].block, x.dim(0)?, prompts)? {
            Some(prompts) => self.prompted(x, &prompts, pass).map(|(x, prompts)| (x, Some(prompts))),
            None => Ok((self.plain(x, pass)?, None)),
        }
    }

    fn prompted(&self, x: &Tensor, prompts: &Tensor, pass: Pass<'_>) -> Result<(Tensor, Tensor)> {
        let [attn, mlp] = &self.branches;
        let mut moved = prompts.clone();
        let x = residual(x, attn, self.rate, pass, |x| {
            let (y, out) = self.attn.prompted(&self.norm1.forward(x)?, &self.norm1.forward(prompts)?)?;
            moved = add(prompts, &out)?;
            Ok(y)
        })?;
        let own = Pass { tap: None, ..pass };
        let prompts = add(&moved, &self.mlp.forward(&self.norm2.forward(&moved)?, mlp, own)?)?;
        let f = |x: &Tensor| self.mlp.forward(&self.norm2.forward(x)?, mlp, pass);
        Ok((residual(&x, mlp, self.rate, pass, f)?, prompts))
    }

    fn plain(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let [attn, mlp] = &self.branches;
        let x = residual(x, attn, self.rate, pass, |x| self.attn.forward(&self.norm1.forward(x)?))?;
        residual(&x, mlp, self.rate, pass, |x| self.mlp.forward(&self.norm2.forward(x)?, mlp, pass))
    }
}

impl Streamed for Block {
    fn number(&self) -> u32 {
        self.branches[0].block
    }

    fn attended(&self, x: &Tensor) -> Result<Tensor> {
        self.attn.attended(&self.norm1.forward(x)?)
    }

    fn between(&self, h: &Tensor) -> Result<Tensor> {
        Ok(h.clone())
    }

    fn normed(&self, h: &Tensor) -> Result<Tensor> {
        self.norm2.forward(h)
    }

    fn layers(&self) -> Result<(&Linear, &Linear, &Linear, Activation)> {
        let (first, second, activation) = self.mlp.layers()?;
        Ok((self.attn.projection(), first, second, activation))
    }
}

/// Makes one cell of 2x2, with twice the channels.
#[derive(Clone, Debug)]
struct Merging {
    norm: LayerNorm,
    reduction: Linear,
}

impl Merging {
    fn new(scope: &Scope, channels: usize) -> Result<Self> {
        Ok(Self {
            norm: LayerNorm::new(&scope.at("norm"), 4 * channels, EPS)?,
            reduction: Linear::without_bias(&scope.at("reduction"), 4 * channels, 2 * channels)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, height, width, channels) = x.dims4()?;
        let x = x.pad_with_zeros(1, 0, height % 2)?.pad_with_zeros(2, 0, width % 2)?;
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        // The four cells in columns: upper left, lower left, upper right, lower right.
        let x = reshape(&x, vec![batch, rows, 2, columns, 2, channels])?;
        let x = reshape(&permute(&x, &[0, 1, 3, 4, 2, 5])?, (batch, rows, columns, 4 * channels))?;
        self.reduction.forward(&self.norm.forward(&x)?)
    }

    /// Prompts stand for each of the four cells.
    fn prompts(&self, x: &Tensor) -> Result<Tensor> {
        self.reduction.forward(&self.norm.forward(&cat(&[x, x, x, x], 2)?)?)
    }
}

#[derive(Clone, Debug)]
struct Stage {
    merging: Option<Merging>,
    blocks: Vec<Block>,
}

/// A Swin transformer.
#[derive(Clone, Debug)]
pub struct Swin {
    config: SwinConfig,
    patches: Patches,
    patch_norm: LayerNorm,
    stages: Vec<Stage>,
    /// The stages whose outputs become maps, and their norms in the dense form.
    outputs: Vec<(usize, Option<LayerNorm>)>,
    /// After the last stage, in the other forms.
    norm: Option<LayerNorm>,
}

/// The output of a Swin transformer.
#[derive(Clone, Debug)]
pub struct SwinFeatures {
    /// Of each stage that has one, `(batch, height, width, channels)`: normed in the dense form, else plain.
    pub maps: Vec<Tensor>,
    /// The last stage's after the norm, in the other forms.
    pub last: Option<Tensor>,
}

impl Swin {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &SwinConfig) -> Result<Self> {
        config.check()?;
        let embed = scope.at("patch_embed");
        let proj = embed.at("proj");
        let patches =
            Patches::new(&proj, config.num_channels, config.embed_dim, config.patch_size, true, Edge::Pad)?;
        let rates = drop_path_rates(config.drop_path_rate, config.depths.iter().sum());
        let mut number = 0;
        let mut stages = Vec::new();
        for (i, depth) in config.depths.iter().enumerate() {
            let scope = scope.at("layers").at(i);
            let merging = match i.checked_sub(1) {
                Some(before) => Some(Merging::new(&scope.at("downsample"), config.channels(before))?),
                None => None,
            };
            let mut blocks = Vec::new();
            for j in 0..*depth {
                let (scope, channels) = (scope.at("blocks").at(j), config.channels(i));
                blocks.push(Block {
                    norm1: LayerNorm::new(&scope.at("norm1"), channels, config.layer_norm_eps)?,
                    attn: Attention::new(&scope.at("attn"), config, i, j % 2 == 1)?,
                    norm2: LayerNorm::new(&scope.at("norm2"), channels, config.layer_norm_eps)?,
                    mlp: Mlp::new(
                        &scope.at("mlp"),
                        channels,
                        (config.mlp_ratio * channels as f64) as usize,
                        config.hidden_act,
                        &config.mlps.of(number),
                    )?,
                    rate: rates[number],
                    branches: Branch::pair(number, channels),
                });
                number += 1;
            }
            stages.push(Stage { merging, blocks });
        }
        let dense = config.form == SwinForm::Dense;
        let norm =
            |stage: usize| LayerNorm::new(&scope.at(format!("norm{stage}")), config.channels(stage), EPS);
        let outputs = config.outputs()?;
        let outputs = outputs.into_iter().map(|i| Ok((i, if dense { Some(norm(i)?) } else { None })));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let last = config.channels(stages.len() - 1);
        let norm =
            if dense { None } else { Some(LayerNorm::new(&scope.at("norm"), last, config.layer_norm_eps)?) };
        let patch_norm = LayerNorm::new(&embed.at("norm"), config.embed_dim, EPS)?;
        Ok(Self { config: config.clone(), patches, patch_norm, stages, outputs, norm })
    }

    /// The features of images `(batch, height, width, 3)`. A stage's map has the sides of the one before, halved and rounded up; the
    /// first's are those of the image over the patch's, rounded up.
    ///
    /// # Errors
    /// If the images have another number of channels.
    pub fn forward<'a>(&self, images: &Tensor, pass: impl Into<Pass<'a>>) -> Result<SwinFeatures> {
        self.run(images, pass.into(), &mut |_| ())
    }

    /// The same; `end` is told what the last block of each stage is given.
    fn run(&self, images: &Tensor, pass: Pass<'_>, end: &mut dyn FnMut(&Tensor)) -> Result<SwinFeatures> {
        let mut x = self.patch_norm.forward(&self.patches.forward(images)?)?;
        let (mut maps, mut prompts) = (Vec::new(), None);
        let count = if self.norm.is_some() { self.stages.len() } else { self.last_output() + 1 };
        for (i, stage) in self.stages.iter().enumerate().take(count) {
            if let Some(merging) = &stage.merging {
                x = merging.forward(&x)?;
                prompts = prompts.map(|prompts: Tensor| merging.prompts(&prompts)).transpose()?;
            }
            for (j, block) in stage.blocks.iter().enumerate() {
                if j + 1 == stage.blocks.len() {
                    end(&x);
                }
                (x, prompts) = block.forward(&x, prompts, pass)?;
            }
            if let Some((_, norm)) = self.outputs.iter().find(|(stage, _)| *stage == i) {
                maps.push(norm.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(&x))?);
            }
        }
        let last = self.norm.as_ref().map(|norm| norm.forward(&x)).transpose()?;
        Ok(SwinFeatures { maps, last })
    }

    fn last_output(&self) -> usize {
        self.outputs.last().map_or(0, |(stage, _)| *stage)
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &SwinConfig {
        &self.config
    }
}

impl Backbone for Swin {
    fn levels(&self) -> Vec<Level> {
        let level = |(stage, _): &(usize, _)| Level {
            channels: self.config.channels(*stage),
            stride: self.config.patch_size << stage,
        };
        self.outputs.iter().map(level).collect()
    }

    fn branches(&self) -> Vec<Branch> {
        self.stages.iter().flat_map(|stage| &stage.blocks).flat_map(|block| block.branches).collect()
    }

    /// In the forms with one norm, the last stage's map is the normed one, and its mean the global embedding.
    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let SwinFeatures { mut maps, last } = self.forward(images, pass)?;
        let global = last.as_ref().map(|last| last.mean((1, 2))).transpose()?;
        if let (Some(last), Some(map)) = (last, maps.last_mut())
            && self.last_output() + 1 == self.stages.len()
        {
            *map = last;
        }
        Ok(Features { maps, global, last: None })
    }

    fn keys(&self, source: &WeightSource, prefix: &str) -> Box<dyn Keys> {
        Box::new(SwinKeys::of(source, prefix, &self.config))
    }

    fn takes_prompts(&self) -> bool {
        true
    }

    fn last_blocks(&self) -> Vec<(String, u32)> {
        // One map a stage, each normed by itself.
        if self.norm.is_some() || self.outputs.len() != self.stages.len() {
            return Vec::new();
        }
        let stages = self.stages.iter().enumerate();
        let last = |(i, stage): (usize, &Stage)| {
            let block = stage.blocks.last()?;
            Some((format!("layers.{i}.blocks.{}", stage.blocks.len() - 1), block.number()))
        };
        stages.filter_map(last).collect()
    }

    fn stages(&self, images: &Tensor, pass: Pass<'_>) -> Result<Stages> {
        let mut ends = Vec::new();
        let maps = self.run(images, pass, &mut |x| ends.push(x.clone()))?.maps;
        Ok(Stages { maps, ends })
    }

    fn stream(&self, ends: &[Tensor], updates: &dyn StreamUpdates) -> Result<Vec<Tensor>> {
        let mut maps = Vec::new();
        for ((stage, (_, norm)), x) in self.stages.iter().zip(&self.outputs).zip(ends) {
            let Some(block) = stage.blocks.last() else { bail!("a stage without blocks") };
            let y = stream(block, x, updates)?;
            maps.push(norm.as_ref().map_or_else(|| Ok(y.clone()), |norm| norm.forward(&y))?);
        }
        Ok(maps)
    }

    /// Classifiers have no norms of single stages.
    fn is_optional(&self, key: &str) -> bool {
        let dense = self.config.form == SwinForm::Dense && key.starts_with("norm");
        dense || super::mlps::is_of_eugen(key)
    }
}

impl BackboneConfig for SwinConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(Swin::new(scope, self)?))
    }

    fn dense(&self, drop_path: f32) -> Box<dyn BackboneConfig> {
        Box::new(Self { drop_path_rate: drop_path, ..self.clone().with_form(SwinForm::Dense) })
    }

    fn with_mlps(&self, mlps: &MlpForms) -> Option<Box<dyn BackboneConfig>> {
        Some(Box::new(Self { mlps: mlps.clone(), ..self.clone() }))
    }

    fn timm(&self) -> Box<dyn BackboneConfig> {
        Box::new(self.clone().with_form(SwinForm::Timm))
    }
}

#[cfg(test)]
mod tests;
