//! Segmentation by any words, without training: what CLIP's ViTs see at each place, compared with texts.
//!
//! Only the last block differs from CLIP's, which mixes up places there; each variant is a file. Vectors of patches are
//! projected into the space of the texts and compared with the words' vectors, means over templates; the class of a pixel is
//! that of its likeliest word.
mod clear_clip;
mod mask_clip;
mod naclip;
mod phrases;
mod plain;
mod sclip;
mod segmenter;
mod words;

use clap::ValueEnum;
use nerve_core::graph::{Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::backbones::vit::LastBlock;

pub use phrases::Phrases;
pub use segmenter::OpenVocabulary;
pub use words::{DEFAULT_TEMPLATE, Words};

/// How the last block is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LastAttention {
    /// As CLIP was trained: for comparison only, places are mixed up
    Plain,
    /// Each place sees itself alone (MaskCLIP, Zhou et al. 2022)
    #[value(name = "maskclip")]
    MaskClip,
    /// Places with like queries, and with like keys (SCLIP, Wang et al. 2024)
    #[value(name = "sclip")]
    Sclip,
    /// Places with like queries, without residual and MLP (ClearCLIP, Lan et al. 2024)
    #[value(name = "clearclip")]
    ClearClip,
    /// Places with like keys and near ones, without residual and MLP (NACLIP, Hajimiri et al. 2025)
    #[default]
    #[value(name = "naclip")]
    Naclip,
}

impl LastAttention {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Plain, Self::MaskClip, Self::Sclip, Self::ClearClip, Self::Naclip];

    /// What the last block makes of its input `x` `(batch, 1 + patches, channels)`; `grid` has the rows and columns of
    /// patches, the class token being the first.
    ///
    /// # Errors
    /// If x has other channels.
    pub fn forward(self, block: LastBlock<'_>, x: &Tensor, grid: [usize; 2]) -> Result<Tensor> {
        match self {
            Self::Plain => plain::forward(block, x),
            Self::MaskClip => mask_clip::forward(block, x),
            Self::Sclip => sclip::forward(block, x),
            Self::ClearClip => clear_clip::forward(block, x),
            Self::Naclip => naclip::forward(block, x, grid),
        }
    }

    /// What cosines are multiplied by before the softmax over words, as published.
    #[must_use]
    pub fn scale(self) -> f64 {
        match self {
            Self::Plain | Self::MaskClip => 100.0,
            Self::Sclip | Self::Naclip => 40.0,
            Self::ClearClip => 50.0,
        }
    }
}

/// `softmax(s a b^T)`, of `a` and `b` `(batch, heads, tokens, channels)`.
fn likeness(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    nerve_core::ops::softmax::softmax(&scores(a, b, scale)?)
}

/// `s a b^T`.
fn scores(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    a.matmul(&b.transpose(2, 3)?.contiguous()?)? * scale
}

#[cfg(test)]
mod tests;
