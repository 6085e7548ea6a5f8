//! A block of a transformer over texts, its norms before the branches (CLIP) or behind the sums (BERT).
use nerve_core::graph::{Result, Scope, Tensor};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::add::add;
use nerve_core::ops::attention::self_attention;

use crate::activation::Activation;

/// What a block is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) width: usize,
    pub(super) hidden: usize,
    pub(super) heads: usize,
    pub(super) activation: Activation,
    pub(super) eps: f64,
    /// Norms before the branches.
    pub(super) pre_norm: bool,
}

/// Keys `norm1`, `attn.{qkv,proj}`, `norm2`, `mlp.{fc1,fc2}`.
#[derive(Clone, Debug)]
pub(super) struct Block {
    config: BlockConfig,
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Block {
    pub(super) fn new(scope: &Scope, config: BlockConfig) -> Result<Self> {
        let BlockConfig { width, hidden, eps, .. } = config;
        let (attn, mlp) = (scope.at("attn"), scope.at("mlp"));
        Ok(Self {
            config,
            norm1: LayerNorm::new(&scope.at("norm1"), width, eps)?,
            qkv: Linear::new(&attn.at("qkv"), width, 3 * width)?,
            proj: Linear::new(&attn.at("proj"), width, width)?,
            norm2: LayerNorm::new(&scope.at("norm2"), width, eps)?,
            fc1: Linear::new(&mlp.at("fc1"), width, hidden)?,
            fc2: Linear::new(&mlp.at("fc2"), hidden, width)?,
        })
    }

    /// x and the result are `(texts, tokens, width)`; `mask`, `(heads, tokens, tokens)`, is added to the scores.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let BlockConfig { width, heads, pre_norm, .. } = self.config;
        let scale = ((width / heads) as f32).powf(-0.5);
        let attention =
            |x: &Tensor| self.proj.forward(&self_attention(&self.qkv.forward(x)?, heads, scale, mask)?);
        if pre_norm {
            let x = add(x, &attention(&self.norm1.forward(x)?)?)?;
            add(&x, &self.mlp(&self.norm2.forward(&x)?)?)
        } else {
            let x = self.norm1.forward(&add(x, &attention(x)?)?)?;
            self.norm2.forward(&add(&x, &self.mlp(&x)?)?)
        }
    }

    fn mlp(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.fc1.forward(x)?;
        match self.config.activation.gelu() {
            Some(form) => self.fc2.forward_gelu(&hidden, form),
            None => self.fc2.forward(&self.config.activation.forward(&hidden)?),
        }
    }
}
