//! The configuration of a vision transformer.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::backbones::MlpForms;
use crate::backbones::grid::Resampling;

/// Which tokens have a learned position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// The class token, if there is one, and the patches.
    #[default]
    ClassAndPatches,
    /// The patches.
    Patches,
    /// The class token, the registers and the patches.
    All,
}

/// A vision transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VitConfig {
    /// Channels of the images.
    pub channels: usize,
    /// Height and width of the images that it was trained on, in pixels: they give the grid of positions.
    pub image: [usize; 2],
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Number of heads.
    pub heads: usize,
    /// Hidden channels of the MLPs.
    pub hidden: usize,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// The activation of the MLPs.
    pub activation: Activation,
    /// Whether there is a class token.
    pub class_token: bool,
    /// Number of register tokens (Darcet et al. 2023).
    pub registers: usize,
    /// Which tokens have positions.
    pub positions: Positions,
    /// How the grid of positions becomes that of another image.
    pub resampling: Resampling,
    /// A norm before the blocks; patches have no bias then.
    pub pre_norm: bool,
    /// Branches are scaled per channel, from this value (LayerScale, Touvron et al. 2021).
    pub layer_scale: Option<f32>,
    /// Rate of stochastic depth at the last block.
    pub drop_path: f32,
    /// Added to variances.
    pub eps: f64,
    /// The blocks whose outputs become maps, from 0; only the last if none is given.
    pub out: Option<Vec<usize>>,
    /// Whether maps go through the last norm: as DINOv2's do, and not those of timm and of Hugging Face's ViT.
    pub norm_maps: bool,
    /// Whether the class token is added to its own position once more: a slip in DenseCLIP's program that its published
    /// weights were trained with.
    pub class_twice: bool,
    /// Which MLPs are built otherwise.
    #[serde(skip_serializing_if = "MlpForms::are_full")]
    pub mlps: MlpForms,
}

impl Default for VitConfig {
    fn default() -> Self {
        Self::base(16)
    }
}

impl VitConfig {
    fn of(dim: usize, depth: usize, heads: usize, patch: usize) -> Self {
        Self {
            channels: 3,
            image: [224, 224],
            patch,
            dim,
            depth,
            heads,
            hidden: 4 * dim,
            qkv_bias: true,
            activation: Activation::Gelu,
            class_token: true,
            registers: 0,
            positions: Positions::ClassAndPatches,
            resampling: Resampling::Antialiased,
            pre_norm: false,
            layer_scale: None,
            drop_path: 0.0,
            eps: 1e-6,
            out: None,
            norm_maps: false,
            class_twice: false,
            mlps: MlpForms::default(),
        }
    }

    /// ViT-Ti: 5.5 million parameters with patches of 16 pixels, as in timm.
    #[must_use]
    pub fn tiny(patch: usize) -> Self {
        Self::of(192, 12, 3, patch)
    }

    /// ViT-S: 22 million.
    #[must_use]
    pub fn small(patch: usize) -> Self {
        Self::of(384, 12, 6, patch)
    }

    /// ViT-B: 86 million.
    #[must_use]
    pub fn base(patch: usize) -> Self {
        Self::of(768, 12, 12, patch)
    }

    /// ViT-L: 303 million.
    #[must_use]
    pub fn large(patch: usize) -> Self {
        Self::of(1024, 24, 16, patch)
    }

    /// The same as DINOv2 has it (Oquab et al. 2023): patches of 14 pixels, images of 518, scaled branches, normed maps.
    /// With registers the positions are resampled otherwise, as in Hugging Face's programs.
    #[must_use]
    pub fn dinov2(self, registers: usize) -> Self {
        Self {
            image: [518, 518],
            patch: 14,
            registers,
            resampling: if registers > 0 { Resampling::Antialiased } else { Resampling::Bicubic },
            layer_scale: Some(1.0),
            norm_maps: true,
            ..self
        }
    }

    /// The same as CLIP's image encoder has it (Radford et al. 2021): a norm before the blocks, `x sigmoid(1.702 x)`.
    #[must_use]
    pub fn clip(self) -> Self {
        Self {
            pre_norm: true,
            activation: Activation::QuickGelu,
            resampling: Resampling::Bicubic,
            eps: 1e-5,
            ..self
        }
    }

    /// Rows and columns of the grid of positions.
    #[must_use]
    pub fn grid(&self) -> [usize; 2] {
        self.image.map(|n| n / self.patch.max(1))
    }

    /// Tokens before the patches.
    #[must_use]
    pub fn prefix(&self) -> usize {
        usize::from(self.class_token) + self.registers
    }

    /// Of them, those with a position.
    #[must_use]
    pub fn placed(&self) -> usize {
        match self.positions {
            Positions::ClassAndPatches => usize::from(self.class_token),
            Positions::Patches => 0,
            Positions::All => self.prefix(),
        }
    }

    /// The blocks whose outputs become maps.
    pub(super) fn outputs(&self) -> Vec<usize> {
        self.out.clone().unwrap_or_else(|| vec![self.depth.saturating_sub(1)])
    }

    pub(super) fn check(&self) -> Result<()> {
        let Self { dim, depth, heads, patch, .. } = *self;
        if depth == 0 || heads == 0 || dim == 0 || !dim.is_multiple_of(heads) {
            bail!("ViT: {depth} blocks with {heads} heads and {dim} channels are not possible");
        }
        if patch == 0 || self.grid().contains(&0) {
            bail!("ViT: images of {:?} have no patches of {patch} pixels", self.image);
        }
        let out = self.outputs();
        if out.is_empty() || !out.is_sorted() || out.iter().any(|i| *i >= depth) {
            bail!("ViT: the blocks to output, {out:?}, must be ascending and below {depth}");
        }
        Ok(())
    }
}

/// One or two sides.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Sides {
    One(usize),
    Two([usize; 2]),
}

impl Sides {
    fn both(self) -> [usize; 2] {
        match self {
            Self::One(n) => [n, n],
            Self::Two(sides) => sides,
        }
    }
}

/// Hugging Face's `config.json` of a ViT or DINOv2 (with registers or without).
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedVit {
    model_type: String,
    #[serde(default = "default::dim")]
    hidden_size: usize,
    #[serde(default = "default::layers")]
    num_hidden_layers: usize,
    #[serde(default = "default::layers")]
    num_attention_heads: usize,
    intermediate_size: Option<usize>,
    mlp_ratio: Option<f64>,
    #[serde(default)]
    hidden_act: Activation,
    layer_norm_eps: Option<f64>,
    image_size: Option<Sides>,
    patch_size: Option<Sides>,
    #[serde(default = "default::channels")]
    num_channels: usize,
    #[serde(default = "default::yes")]
    qkv_bias: bool,
    layerscale_value: Option<f32>,
    #[serde(default)]
    drop_path_rate: f32,
    #[serde(default)]
    use_swiglu_ffn: bool,
    num_register_tokens: Option<usize>,
    #[serde(default = "default::yes")]
    apply_layernorm: bool,
    out_indices: Option<Vec<usize>>,
}

mod default {
    pub(super) fn dim() -> usize {
        768
    }
    pub(super) fn layers() -> usize {
        12
    }
    pub(super) fn channels() -> usize {
        3
    }
    pub(super) fn yes() -> bool {
        true
    }
}

impl TryFrom<PublishedVit> for VitConfig {
    type Error = nerve_core::graph::Error;

    fn try_from(p: PublishedVit) -> Result<Self> {
        let (dino, registers) = match p.model_type.as_str() {
            "vit" | "vit_msn" => (false, false),
            "dinov2" => (true, false),
            "dinov2_with_registers" => (true, true),
            other => bail!("ViT: `model_type` is '{other}', not vit, dinov2 or dinov2_with_registers"),
        };
        if p.use_swiglu_ffn {
            bail!("ViT: `use_swiglu_ffn` (DINOv2 giant) is not supported");
        }
        let sides = p.patch_size.unwrap_or(Sides::One(if dino && !registers { 14 } else { 16 })).both();
        if sides[0] != sides[1] {
            bail!("ViT: `patch_size` is {sides:?}, patches must be square");
        }
        let hidden = match (p.intermediate_size, p.mlp_ratio) {
            (Some(hidden), _) => hidden,
            (None, ratio) => (ratio.unwrap_or(4.0) * p.hidden_size as f64) as usize,
        };
        // Blocks are counted from 1 there, after the patches.
        let out = p.out_indices.map(|out| out.iter().map(|i| i.saturating_sub(1)).collect());
        Ok(Self {
            channels: p.num_channels,
            image: p.image_size.unwrap_or(Sides::One(224)).both(),
            patch: sides[0],
            dim: p.hidden_size,
            depth: p.num_hidden_layers,
            heads: p.num_attention_heads,
            hidden,
            qkv_bias: p.qkv_bias,
            activation: p.hidden_act,
            class_token: true,
            registers: if registers { p.num_register_tokens.unwrap_or(4) } else { 0 },
            positions: Positions::ClassAndPatches,
            resampling: if registers { Resampling::Antialiased } else { Resampling::Bicubic },
            pre_norm: false,
            layer_scale: dino.then(|| p.layerscale_value.unwrap_or(1.0)),
            drop_path: p.drop_path_rate,
            eps: p.layer_norm_eps.unwrap_or(if dino { 1e-6 } else { 1e-12 }),
            out,
            norm_maps: dino && p.apply_layernorm,
            class_twice: false,
            mlps: MlpForms::default(),
        })
    }
}
