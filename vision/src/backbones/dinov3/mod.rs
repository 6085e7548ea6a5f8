//! DINOv3's vision transformers (Siméoni et al. 2025): a class token, registers, and patches whose queries and keys are rotated
//! by their positions; scaled branches; plain or gated MLPs. Pixels that do not fill a patch are left out.
//!
//! Keys are timm's, but for the gate: `patch_embed.proj`, `cls_token`, `reg_token`, `blocks.I.{norm1,attn.qkv.weight,attn.q_bias,
//! attn.v_bias,attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.gate,mlp.fc2,ls2.gamma}`, `norm`. Keys have no bias: one would turn with
//! the positions. `keys` reads timm's, Hugging Face's and the authors' files. The weights have a license of their own, the
//! DINOv3 License.
mod config;
mod keys;
mod rope;

use nerve_core::graph::{DType, Init, Result, Scope, Tensor, cat, narrow, reshape};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::attention::self_attention;
use nerve_core::ops::linear::linear;

pub use config::{DinoV3Config, PublishedDinoV3};
use keys::DinoV3Keys;
use rope::Rotation;

use super::parts::{Edge, Mlp, Patches, drop_path_rates};
use super::residual::residual;
use super::{Backbone, BackboneConfig, Branch, Features, Level, Pass};
use crate::activation::Activation;
use crate::load::{Keys, WeightSource};

#[derive(Clone, Debug)]
enum FeedForward {
    Plain(Mlp),
    Gated { gate: Linear, fc1: Linear, fc2: Linear },
}

#[derive(Clone, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Tensor,
    q_bias: Tensor,
    v_bias: Tensor,
    proj: Linear,
    scale1: Tensor,
    norm2: LayerNorm,
    mlp: FeedForward,
    scale2: Tensor,
    heads: usize,
    rate: f32,
    branches: [Branch; 2],
}

impl Block {
    fn new(scope: &Scope, config: &DinoV3Config, number: usize, rate: f32) -> Result<Self> {
        let DinoV3Config { dim, hidden, eps, .. } = *config;
        let (attn, mlp) = (scope.at("attn"), scope.at("mlp"));
        let gamma = |name: &str| scope.at(name).weight("gamma", &[dim], Init::Constant(config.layer_scale));
        let bias = |name: &str| attn.weight(name, &[dim], Init::Constant(0.0));
        Ok(Self {
            norm1: LayerNorm::new(&scope.at("norm1"), dim, eps)?,
            qkv: attn.at("qkv").weight("weight", &[3 * dim, dim], Init::Normal(0.02))?,
            q_bias: bias("q_bias")?,
            v_bias: bias("v_bias")?,
            proj: Linear::new(&attn.at("proj"), dim, dim)?,
            scale1: gamma("ls1")?,
            norm2: LayerNorm::new(&scope.at("norm2"), dim, eps)?,
            mlp: if config.gated {
                FeedForward::Gated {
                    gate: Linear::new(&mlp.at("gate"), dim, hidden)?,
                    fc1: Linear::new(&mlp.at("fc1"), dim, hidden)?,
                    fc2: Linear::new(&mlp.at("fc2"), hidden, dim)?,
                }
            } else {
                FeedForward::Plain(Mlp::new(
                    &mlp,
                    dim,
                    hidden,
                    Activation::Gelu,
                    &crate::backbones::mlps::MlpForm::Full,
                )?)
            },
            scale2: gamma("ls2")?,
            heads: config.heads,
            rate,
            branches: Branch::pair(number, dim),
        })
    }

    fn attention(&self, x: &Tensor, rotation: &Rotation) -> Result<Tensor> {
        let (batch, tokens, dim) = x.dims3()?;
        let width = dim / self.heads;
        let bias = cat(&[&self.q_bias, &self.q_bias.zeros_like()?.detach(), &self.v_bias], 0)?;
        let qkv = linear(&self.norm1.forward(x)?, &self.qkv, Some(&bias))?;
        let turned = |part: usize| {
            let part = reshape(&narrow(&qkv, 2, part * dim, dim)?, (batch, tokens, self.heads, width))?;
            rotation.turn(&part)?.reshape((batch, tokens, dim))
        };
        let qkv = cat(&[&turned(0)?, &turned(1)?, &narrow(&qkv, 2, 2 * dim, dim)?], 2)?;
        self.proj.forward(&self_attention(&qkv, self.heads, (width as f32).powf(-0.5), None)?)
    }

    fn feed_forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let x = self.norm2.forward(x)?;
        match &self.mlp {
            FeedForward::Plain(mlp) => mlp.forward(&x, &self.branches[1], pass),
            FeedForward::Gated { gate, fc1, fc2 } => {
                fc2.forward(&(gate.forward(&x)?.silu()? * fc1.forward(&x)?)?)
            }
        }
    }

    fn forward(&self, x: &Tensor, rotation: &Rotation, pass: Pass<'_>) -> Result<Tensor> {
        let [attn, mlp] = &self.branches;
        let x =
            residual(x, attn, self.rate, pass, |x| self.attention(x, rotation)?.broadcast_mul(&self.scale1))?;
        residual(&x, mlp, self.rate, pass, |x| self.feed_forward(x, pass)?.broadcast_mul(&self.scale2))
    }
}

/// One of DINOv3's vision transformers.
#[derive(Clone, Debug)]
pub struct DinoV3 {
    config: DinoV3Config,
    patches: Patches,
    class: Tensor,
    registers: Option<Tensor>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    outputs: Vec<usize>,
}

impl DinoV3 {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &DinoV3Config) -> Result<Self> {
        config.check()?;
        let dim = config.dim;
        let token = |name: &str, count: usize| scope.weight(name, &[1, count, dim], Init::Normal(0.02));
        let proj = scope.at("patch_embed").at("proj");
        let rates = drop_path_rates(config.drop_path, config.depth);
        let blocks = rates.iter().enumerate();
        let blocks = blocks.map(|(i, rate)| Block::new(&scope.at("blocks").at(i), config, i, *rate));
        Ok(Self {
            patches: Patches::new(&proj, config.channels, dim, config.patch, true, Edge::Cut)?,
            class: token("cls_token", 1)?,
            registers: (config.registers > 0).then(|| token("reg_token", config.registers)).transpose()?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: LayerNorm::new(&scope.at("norm"), dim, config.eps)?,
            outputs: config.outputs(),
            config: config.clone(),
        })
    }

    /// The maps of images `(batch, height, width, 3)` after the chosen blocks and the last norm, and all tokens after it: class
    /// token, registers, patches.
    ///
    /// # Errors
    /// If the images have another number of channels, or not a single patch.
    pub fn forward<'a>(&self, images: &Tensor, pass: impl Into<Pass<'a>>) -> Result<(Vec<Tensor>, Tensor)> {
        let pass = pass.into();
        let patches = self.patches.forward(images)?;
        let (batch, rows, columns, dim) = patches.dims4()?;
        let prefix: Vec<&Tensor> = std::iter::once(&self.class).chain(&self.registers).collect();
        let prefix = Tensor::cat(&prefix, 1)?;
        let (before, count) = (prefix.dim(1)?, rows * columns);
        let prefix = prefix.broadcast_as((batch, before, dim))?.contiguous()?;
        let mut x = cat(&[&prefix, &reshape(&patches, (batch, count, dim))?], 1)?;
        let width = dim / self.config.heads;
        let rotation = Rotation::new(before, [rows, columns], width, self.config.theta, x.device())?;
        let mut maps = Vec::new();
        let mut tokens = None;
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &rotation, pass)?;
            let last = i + 1 == self.blocks.len();
            if last || self.outputs.contains(&i) {
                let normed = self.norm.forward(&x)?;
                if self.outputs.contains(&i) {
                    maps.push(reshape(&narrow(&normed, 1, before, count)?, (batch, rows, columns, dim))?);
                }
                tokens = last.then_some(normed);
            }
        }
        let tokens = tokens.map_or_else(|| Tensor::zeros((batch, 0, dim), DType::F32, x.device()), Ok)?;
        Ok((maps, tokens))
    }
}

impl Backbone for DinoV3 {
    fn levels(&self) -> Vec<Level> {
        vec![Level { channels: self.config.dim, stride: self.config.patch }; self.outputs.len()]
    }

    fn branches(&self) -> Vec<Branch> {
        self.blocks.iter().flat_map(|block| block.branches).collect()
    }

    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let (maps, tokens) = self.forward(images, pass)?;
        Ok(Features { maps, global: Some(narrow(&tokens, 1, 0, 1)?.squeeze(1)?), last: None })
    }

    fn keys(&self, _: &WeightSource, _: &str) -> Box<dyn Keys> {
        Box::new(DinoV3Keys)
    }

    /// timm's plain files leave out biases of zero.
    fn is_optional(&self, key: &str) -> bool {
        key.ends_with("attn.q_bias") || key.ends_with("attn.v_bias")
    }

    fn image_multiple(&self) -> usize {
        self.config.patch
    }
}

impl BackboneConfig for DinoV3Config {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(DinoV3::new(scope, self)?))
    }

    fn dense(&self, drop_path: f32) -> Box<dyn BackboneConfig> {
        Box::new(Self { drop_path, out: Some(self.depths()), ..self.clone() })
    }

    fn timm(&self) -> Box<dyn BackboneConfig> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
