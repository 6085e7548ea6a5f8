//! The configuration of DINOv3's vision transformers.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

/// One of DINOv3's vision transformers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DinoV3Config {
    /// Channels of the images.
    pub channels: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Number of heads; each has a multiple of four channels.
    pub heads: usize,
    /// Hidden channels of the MLPs.
    pub hidden: usize,
    /// Whether the MLPs are gated: `fc2(silu(gate x) fc1 x)`.
    pub gated: bool,
    /// Number of register tokens.
    pub registers: usize,
    /// Ratio of the longest period of the positions to the shortest.
    pub theta: f64,
    /// Added to variances.
    pub eps: f64,
    /// What branches are scaled by at the beginning.
    pub layer_scale: f32,
    /// Rate of stochastic depth at the last block.
    pub drop_path: f32,
    /// The blocks whose outputs become maps, after the last norm; only the last if none is given.
    pub out: Option<Vec<usize>>,
}

impl Default for DinoV3Config {
    fn default() -> Self {
        Self::small()
    }
}

impl DinoV3Config {
    fn of(dim: usize, depth: usize, heads: usize, hidden: usize, gated: bool) -> Self {
        Self {
            channels: 3,
            patch: 16,
            dim,
            depth,
            heads,
            hidden,
            gated,
            registers: 4,
            theta: 100.0,
            eps: 1e-5,
            layer_scale: 1e-5,
            drop_path: 0.0,
            out: None,
        }
    }

    /// ViT-S/16: 22 million parameters.
    #[must_use]
    pub fn small() -> Self {
        Self::of(384, 12, 6, 1536, false)
    }

    /// ViT-S+/16: 29 million.
    #[must_use]
    pub fn small_plus() -> Self {
        Self::of(384, 12, 6, 1536, true)
    }

    /// ViT-B/16: 86 million.
    #[must_use]
    pub fn base() -> Self {
        Self::of(768, 12, 12, 3072, false)
    }

    /// ViT-L/16: 303 million.
    #[must_use]
    pub fn large() -> Self {
        Self::of(1024, 24, 16, 4096, false)
    }

    /// ViT-H+/16: 841 million.
    #[must_use]
    pub fn huge_plus() -> Self {
        Self::of(1280, 32, 20, 5120, true)
    }

    /// Four depths, as the authors take them for dense prediction.
    pub(super) fn depths(&self) -> Vec<usize> {
        if self.depth == 24 {
            return vec![4, 11, 17, 23];
        }
        (1..=4).map(|i| (i * self.depth / 4).saturating_sub(1)).collect()
    }

    /// The blocks whose outputs become maps.
    pub(super) fn outputs(&self) -> Vec<usize> {
        self.out.clone().unwrap_or_else(|| vec![self.depth.saturating_sub(1)])
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { dim, depth, heads, patch, .. } = *self;
        if depth == 0 || heads == 0 || patch == 0 || !dim.is_multiple_of(4 * heads.max(1)) || dim == 0 {
            bail!("DINOv3: {depth} blocks with {heads} heads and {dim} channels are not possible");
        }
        let out = self.outputs();
        if out.is_empty() || !out.is_sorted() || out.iter().any(|i| *i >= depth) {
            bail!("DINOv3: the blocks to output, {out:?}, must be ascending and below {depth}");
        }
        Ok(())
    }
}

/// Hugging Face's `config.json` of a DINOv3.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct PublishedDinoV3 {
    num_channels: usize,
    patch_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    use_gated_mlp: bool,
    num_register_tokens: usize,
    rope_theta: f64,
    layer_norm_eps: f64,
    layerscale_value: f32,
    key_bias: bool,
}

impl Default for PublishedDinoV3 {
    fn default() -> Self {
        Self {
            num_channels: 3,
            patch_size: 16,
            hidden_size: 384,
            num_hidden_layers: 12,
            num_attention_heads: 6,
            intermediate_size: 1536,
            use_gated_mlp: false,
            num_register_tokens: 0,
            rope_theta: 100.0,
            layer_norm_eps: 1e-5,
            layerscale_value: 1.0,
            key_bias: false,
        }
    }
}

impl TryFrom<PublishedDinoV3> for DinoV3Config {
    type Error = nerve_core::graph::Error;

    fn try_from(p: PublishedDinoV3) -> Result<Self> {
        if p.key_bias {
            bail!("DINOv3: `key_bias` is true, which no published model has");
        }
        Ok(Self {
            channels: p.num_channels,
            patch: p.patch_size,
            registers: p.num_register_tokens,
            theta: p.rope_theta,
            eps: p.layer_norm_eps,
            layer_scale: p.layerscale_value,
            ..Self::of(
                p.hidden_size,
                p.num_hidden_layers,
                p.num_attention_heads,
                p.intermediate_size,
                p.use_gated_mlp,
            )
        })
    }
}
