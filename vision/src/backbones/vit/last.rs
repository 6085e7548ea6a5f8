//! The last block of a vision transformer, taken apart: training-free segmentation computes it otherwise.
use nerve_core::graph::{Result, Tensor, bail, narrow, permute, reshape};
use nerve_core::ops::add::add;

use super::{Block, Vit};
use crate::backbones::Pass;

/// Queries, keys and values of all tokens, each `(batch, heads, tokens, channels of a head)`.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Queries.
    pub q: Tensor,
    /// Keys.
    pub k: Tensor,
    /// Values.
    pub v: Tensor,
}

/// What stands in the last block's place: a function of the block, its input `(batch, tokens, channels)`, and the rows and columns
/// of patches.
pub type Last<'a> = dyn Fn(LastBlock<'_>, &Tensor, [usize; 2]) -> Result<Tensor> + 'a;

/// The last block.
#[derive(Clone, Copy, Debug)]
pub struct LastBlock<'a>(&'a Block);

impl LastBlock<'_> {
    /// What scores are multiplied by: one over the root of a head's channels.
    ///
    /// # Errors
    /// If x is no sequence `(batch, tokens, channels)`.
    pub fn scale(&self, x: &Tensor) -> Result<f64> {
        Ok(((x.dim(2)? / self.0.heads) as f64).powf(-0.5))
    }

    /// Queries, keys and values of `x`, the block's input, after its first norm.
    ///
    /// # Errors
    /// If it has other channels.
    pub fn parts(&self, x: &Tensor) -> Result<Parts> {
        let (batch, tokens, channels) = x.dims3()?;
        let heads = self.0.heads;
        let qkv = self.0.qkv.forward(&self.0.norm1.forward(x)?)?;
        let part = |i: usize| {
            let part = narrow(&qkv, 2, i * channels, channels)?;
            permute(&reshape(&part, (batch, tokens, heads, channels / heads))?, &[0, 2, 1, 3])
        };
        Ok(Parts { q: part(0)?, k: part(1)?, v: part(2)? })
    }

    /// The output of the attention whose heads found these values, `(batch, heads, tokens, channels of a head)`.
    ///
    /// # Errors
    /// If they have other channels.
    pub fn out(&self, values: &Tensor) -> Result<Tensor> {
        let (batch, heads, tokens, width) = values.dims4()?;
        let joined = reshape(&permute(values, &[0, 2, 1, 3])?, (batch, tokens, heads * width))?;
        self.0.proj.forward(&joined)
    }

    /// `x + mlp(norm(x))`.
    ///
    /// # Errors
    /// If x has other channels.
    pub fn mlp(&self, x: &Tensor) -> Result<Tensor> {
        let [_, branch] = &self.0.branches;
        let pass: Pass<'_> = nerve_core::graph::Mode::Eval.into();
        add(x, &self.0.mlp.forward(&self.0.norm2.forward(x)?, branch, pass)?)
    }
}

impl Vit {
    /// All tokens `(batch, tokens, channels)` of images after the last norm, the last block being `last`; and the
    /// rows and columns of patches. For inference.
    ///
    /// # Errors
    /// If the images are too small, or `last` fails, or the model scales its branches.
    pub fn with_last(&self, images: &Tensor, last: &Last<'_>) -> Result<(Tensor, [usize; 2])> {
        let patches = self.patches.forward(images)?;
        let (_, rows, columns, _) = patches.dims4()?;
        let mut x = self.tokens(&patches)?;
        if let Some(norm) = &self.norm_pre {
            x = norm.forward(&x)?;
        }
        let Some((block, before)) = self.blocks.split_last() else { bail!("ViT: no blocks") };
        if block.scale1.is_some() {
            bail!("ViT: the last block of a model with scaled branches cannot be changed");
        }
        let pass: Pass<'_> = nerve_core::graph::Mode::Eval.into();
        for block in before {
            x = block.forward(&x, pass)?;
        }
        let x = last(LastBlock(block), &x, [rows, columns])?;
        Ok((self.norm.forward(&x)?, [rows, columns]))
    }
}
