//! The residual branch of every backbone, the place of adapters; and what a forward pass is given beside its images.
use nerve_core::graph::{Mode, Result, Tensor};
use nerve_core::ops::add::add;
use nerve_core::ops::drop_path::drop_path;

use super::Prompts;

/// A residual branch of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// The number of its block among all of the backbone's, from 0.
    pub block: u32,
    /// Which of the block's branches it is.
    pub part: Part,
    /// Its channels.
    pub channels: usize,
}

/// What a residual branch computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Attention.
    Attention,
    /// The MLP.
    Mlp,
    /// Convolutions, where a block has nothing else.
    Convolution,
}

impl Branch {
    /// The branches of a transformer's block.
    pub(super) fn pair(block: usize, channels: usize) -> [Self; 2] {
        [Part::Attention, Part::Mlp].map(|part| Self { block: block as u32, part, channels })
    }

    /// What its drop path is drawn for.
    fn layer(&self) -> u32 {
        2 * self.block + u32::from(self.part == Part::Mlp)
    }
}

/// What is trained beside a backbone: layers at its residual branches.
pub trait Adapters {
    /// What is added to the block's input `x` in place of the branch's `output`; both are `(..., channels)`. A serial adapter
    /// is a function of `output`, a parallel one adds a function of `x` to it.
    ///
    /// # Errors
    /// If the adapter fails.
    fn adapt(&self, branch: &Branch, x: &Tensor, output: Tensor) -> Result<Tensor>;
}

/// What one MLP computed, rows being tokens.
#[derive(Clone, Copy, Debug)]
pub struct MlpTrace<'a> {
    /// `(..., channels)`: what its first layer is given.
    pub input: &'a Tensor,
    /// `(..., hidden)`: what its second layer is given, after the activation.
    pub hidden: &'a Tensor,
    /// `(..., channels)`.
    pub output: &'a Tensor,
}

/// Listens to the MLPs of a forward pass, for the distillation of single layers.
pub trait MlpTap {
    /// Is given every MLP as it has run.
    ///
    /// # Errors
    /// Ends the pass.
    fn tap(&self, branch: &Branch, trace: MlpTrace<'_>) -> Result<()>;
}

/// What a forward pass is given beside its images. A [`Mode`] is a pass without adapters.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// Training or evaluation.
    pub mode: Mode,
    /// What is trained beside the backbone.
    pub adapters: Option<&'a dyn Adapters>,
    /// What listens to its MLPs.
    pub tap: Option<&'a dyn MlpTap>,
    /// Tokens beside those of the image, where [`Backbone::takes_prompts`](super::Backbone::takes_prompts).
    pub prompts: Option<&'a dyn Prompts>,
}

impl From<Mode> for Pass<'_> {
    fn from(mode: Mode) -> Self {
        Self { mode, adapters: None, tap: None, prompts: None }
    }
}

/// `x + drop_path(adapted(f(x)))`, where `f` is the branch with its norm; `rate` is that of the drop path.
pub(super) fn residual(
    x: &Tensor,
    branch: &Branch,
    rate: f32,
    pass: Pass<'_>,
    f: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut y = f(x)?;
    if let Some(adapters) = pass.adapters {
        y = adapters.adapt(branch, x, y)?;
    }
    add(x, &drop_path(&y, rate, pass.mode, branch.layer())?)
}

#[cfg(test)]
mod tests;
