//! Vision transformers (Dosovitskiy et al. 2020): ViT as timm and Hugging Face have it, DINOv2 (Oquab et al. 2023), and
//! the image encoders of CLIP (Radford et al. 2021).
//!
//! Patches become tokens, to which a class token and registers may be added, with learned positions; blocks of attention
//! over all tokens follow, each branch normed before it. The grid of positions is resampled where an image has another
//! one. Pixels that do not fill a patch are left out.
//!
//! Keys are timm's: `patch_embed.proj`, `cls_token`, `reg_token`, `pos_embed`, `norm_pre`, `blocks.I.{norm1,attn.qkv,
//! attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.fc2,ls2.gamma}`, `norm`. [`VitKeys`] reads timm's, Hugging Face's,
//! DINOv2's and CLIP's files.
mod clip_keys;
mod config;
mod keys;
mod last;

use nerve_core::graph::{Init, Result, Scope, Tensor, bail, cat, narrow, reshape};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::attention::self_attention;
use nerve_data::augment::Normalise;

pub use config::{Positions, PublishedVit, VitConfig};
pub use keys::VitKeys;
pub use last::{Last, LastBlock, Parts};

use super::grid::Resampling;
use super::parts::{Edge, Mlp, Patches, drop_path_rates};
use super::prompts::entering;
use super::residual::residual;
use super::{Backbone, BackboneConfig, Branch, Features, Level, MlpForms, Pass};
use crate::load::{Keys, WeightSource};

#[derive(Clone, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    scale1: Option<Tensor>,
    norm2: LayerNorm,
    mlp: Mlp,
    scale2: Option<Tensor>,
    heads: usize,
    rate: f32,
    branches: [Branch; 2],
}

impl Block {
    fn new(scope: &Scope, config: &VitConfig, number: usize, rate: f32) -> Result<Self> {
        let attn = scope.at("attn");
        let qkv = if config.qkv_bias { Linear::new } else { Linear::without_bias };
        let gamma = |name: &str| match config.layer_scale {
            Some(value) => scope.at(name).weight("gamma", &[config.dim], Init::Constant(value)).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            norm1: LayerNorm::new(&scope.at("norm1"), config.dim, config.eps)?,
            qkv: qkv(&attn.at("qkv"), config.dim, 3 * config.dim)?,
            proj: Linear::new(&attn.at("proj"), config.dim, config.dim)?,
            scale1: gamma("ls1")?,
            norm2: LayerNorm::new(&scope.at("norm2"), config.dim, config.eps)?,
            mlp: Mlp::new(
                &scope.at("mlp"),
                config.dim,
                config.hidden,
                config.activation,
                &config.mlps.of(number),
            )?,
            scale2: gamma("ls2")?,
            heads: config.heads,
            rate,
            branches: Branch::pair(number, config.dim),
        })
    }

    fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let scale = ((x.dim(2)? / self.heads) as f32).powf(-0.5);
        self.proj.forward(&self_attention(&qkv, self.heads, scale, None)?)
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let scaled = |branch: Tensor, scale: &Option<Tensor>| match scale {
            Some(scale) => branch.broadcast_mul(scale),
            None => Ok(branch),
        };
        let [attn, mlp] = &self.branches;
        let x = residual(x, attn, self.rate, pass, |x| scaled(self.attention(x)?, &self.scale1))?;
        residual(&x, mlp, self.rate, pass, |x| {
            scaled(self.mlp.forward(&self.norm2.forward(x)?, mlp, pass)?, &self.scale2)
        })
    }
}

/// A vision transformer.
#[derive(Clone, Debug)]
pub struct Vit {
    config: VitConfig,
    patches: Patches,
    class: Option<Tensor>,
    registers: Option<Tensor>,
    positions: Tensor,
    norm_pre: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    outputs: Vec<usize>,
}

/// The output of a vision transformer.
#[derive(Clone, Debug)]
pub struct VitFeatures {
    /// The patches after the chosen blocks, `(batch, rows, columns, channels)`.
    pub maps: Vec<Tensor>,
    /// All tokens after the last norm, `(batch, tokens, channels)`: class token, registers, patches.
    pub tokens: Tensor,
}

impl Vit {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &VitConfig) -> Result<Self> {
        config.check()?;
        let dim = config.dim;
        let token = |name: &str, count: usize| {
            let make = || scope.weight(name, &[1, count, dim], Init::Normal(0.02));
            (count > 0).then(make).transpose()
        };
        let [rows, columns] = config.grid();
        let placed = config.placed() + rows * columns;
        let proj = scope.at("patch_embed").at("proj");
        let rates = drop_path_rates(config.drop_path, config.depth);
        let blocks = rates.iter().enumerate();
        let blocks = blocks.map(|(i, rate)| Block::new(&scope.at("blocks").at(i), config, i, *rate));
        let norm_pre = config.pre_norm.then(|| LayerNorm::new(&scope.at("norm_pre"), dim, config.eps));
        Ok(Self {
            patches: Patches::new(&proj, config.channels, dim, config.patch, !config.pre_norm, Edge::Cut)?,
            class: token("cls_token", usize::from(config.class_token))?,
            registers: token("reg_token", config.registers)?,
            positions: scope.weight("pos_embed", &[1, placed, dim], Init::Normal(0.02))?,
            norm_pre: norm_pre.transpose()?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: LayerNorm::new(&scope.at("norm"), dim, config.eps)?,
            outputs: config.outputs(),
            config: config.clone(),
        })
    }

    /// Patches `(batch, rows, columns, channels)` as tokens, with the others before them and positions added.
    fn tokens(&self, patches: &Tensor) -> Result<Tensor> {
        let (batch, rows, columns, dim) = patches.dims4()?;
        let ([own_rows, own_columns], placed) = (self.config.grid(), self.config.placed());
        let grid = self.positions.narrow(1, placed, own_rows * own_columns)?;
        let grid = grid.reshape((own_rows, own_columns, dim))?;
        let grid = self.config.resampling.resize(&grid, [rows, columns])?;
        let patches = reshape(&patches.broadcast_add(&grid)?, (batch, rows * columns, dim))?;
        let prefix: Vec<&Tensor> = self.class.iter().chain(&self.registers).collect();
        if prefix.is_empty() {
            return Ok(patches);
        }
        let prefix = Tensor::cat(&prefix, 1)?;
        let bare = self.config.prefix() - placed;
        let mut parts = Vec::new();
        if placed > 0 {
            let mut part = (prefix.narrow(1, 0, placed)? + self.positions.narrow(1, 0, placed)?)?;
            if let Some(class) = self.class.as_ref().filter(|_| self.config.class_twice) {
                part = part.broadcast_add(class)?;
            }
            parts.push(part);
        }
        if bare > 0 {
            parts.push(prefix.narrow(1, placed, bare)?);
        }
        let prefix = Tensor::cat(&parts, 1)?.broadcast_as((batch, placed + bare, dim))?.contiguous()?;
        cat(&[&prefix, &patches], 1)
    }

    /// The features of images `(batch, height, width, 3)`.
    ///
    /// # Errors
    /// If the images have another number of channels, or not a single patch.
    pub fn forward<'a>(&self, images: &Tensor, pass: impl Into<Pass<'a>>) -> Result<VitFeatures> {
        let pass = pass.into();
        let patches = self.patches.forward(images)?;
        let (batch, rows, columns, dim) = patches.dims4()?;
        let mut x = self.tokens(&patches)?;
        if let Some(norm) = &self.norm_pre {
            x = norm.forward(&x)?;
        }
        let (prefix, count) = (self.config.prefix(), rows * columns);
        let mut prompts = 0;
        let map = |x: &Tensor| reshape(&narrow(x, 1, prefix, count)?, (batch, rows, columns, dim));
        let mut maps = Vec::new();
        for (i, block) in self.blocks.iter().enumerate() {
            // Prompts are the last tokens; fresh ones take the place of those before.
            if let Some(fresh) = entering(pass.prompts, block.branches[0].block, batch, None)? {
                x = cat(&[&narrow(&x, 1, 0, prefix + count)?, &fresh], 1)?;
                prompts = fresh.dim(1)?;
            }
            x = block.forward(&x, pass)?;
            let last = i + 1 == self.blocks.len();
            // The last one's normed map is taken from the normed tokens.
            if self.outputs.contains(&i) && !(last && self.config.norm_maps) {
                let y = map(&x)?;
                maps.push(if self.config.norm_maps { self.norm.forward(&y)? } else { y });
            }
        }
        if prompts > 0 {
            x = narrow(&x, 1, 0, prefix + count)?;
        }
        let tokens = self.norm.forward(&x)?;
        if self.config.norm_maps && self.outputs.contains(&(self.blocks.len() - 1)) {
            maps.push(map(&tokens)?);
        }
        Ok(VitFeatures { maps, tokens })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &VitConfig {
        &self.config
    }
}

impl Backbone for Vit {
    fn levels(&self) -> Vec<Level> {
        vec![Level { channels: self.config.dim, stride: self.config.patch }; self.outputs.len()]
    }

    fn branches(&self) -> Vec<Branch> {
        self.blocks.iter().flat_map(|block| block.branches).collect()
    }

    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let VitFeatures { maps, tokens } = self.forward(images, pass)?;
        let class = || narrow(&tokens, 1, 0, 1)?.squeeze(1);
        let (batch, rows, columns, dim) = match maps.last() {
            Some(map) => map.dims4()?,
            None => bail!("ViT: no maps"),
        };
        let patches = narrow(&tokens, 1, self.config.prefix(), rows * columns)?;
        let last = reshape(&patches, (batch, rows, columns, dim))?;
        Ok(Features { maps, global: self.config.class_token.then(class).transpose()?, last: Some(last) })
    }

    fn normalise(&self) -> Normalise {
        // CLIP's alone have a norm there.
        if self.config.pre_norm { Normalise::clip() } else { Normalise::default() }
    }

    fn keys(&self, source: &WeightSource, _: &str) -> Box<dyn Keys> {
        Box::new(VitKeys::of(source, &self.config))
    }

    fn takes_prompts(&self) -> bool {
        true
    }

    fn image_multiple(&self) -> usize {
        self.config.patch
    }
}

/// Depths whose maps dense prediction is made of.
const DENSE: usize = 4;

impl BackboneConfig for VitConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(Vit::new(scope, self)?))
    }

    /// Four depths, a quarter apart, each after the last norm, as DINOv2's and Segmenter's are.
    fn dense(&self, drop_path: f32) -> Box<dyn BackboneConfig> {
        let out = (1..=DENSE).map(|i| (i * self.depth / DENSE).saturating_sub(1)).collect();
        Box::new(Self { drop_path, out: Some(out), norm_maps: true, ..self.clone() })
    }

    /// A third, a half, two thirds and the whole of the depth, without the last norm; positions are resampled bilinearly.
    fn language(&self, drop_path: f32, class_twice: bool) -> Box<dyn BackboneConfig> {
        let out = [4, 6, 8, 12].map(|part| (part * self.depth / 12).saturating_sub(1)).to_vec();
        let resampling = if self.pre_norm { Resampling::Bilinear } else { self.resampling };
        Box::new(Self {
            drop_path,
            out: Some(out),
            norm_maps: false,
            resampling,
            class_twice,
            ..self.clone()
        })
    }

    fn with_mlps(&self, mlps: &MlpForms) -> Option<Box<dyn BackboneConfig>> {
        Some(Box::new(Self { mlps: mlps.clone(), ..self.clone() }))
    }

    fn timm(&self) -> Box<dyn BackboneConfig> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
