//! The adapter that all methods of this family place, whatever makes its weights (Houlsby et al. 2019):
//!
//! ```text
//! y = x + LN(W_up act(W_down x + b_down) + b_up)        W_down (hidden, channels), W_up (channels, hidden)
//! ```
//!
//! Serial, x is what the branch puts out before it is added to its input; parallel, the term is computed of the branch's
//! input and added to its output.
use std::collections::HashMap;

use nerve_core::graph::{Init, Result, Scope, Tensor};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::add::add;
use nerve_core::ops::gelu::Form;

use super::settings::MethodSettings;
use super::{Gate, Site};
use crate::backbones::{Adapters, Branch, Part};

/// The deviation that adapters' weights begin with.
pub(super) const DEVIATION: f32 = 0.01;
const EPS: f64 = 1e-5;

/// The tensors of an adapter.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// `(hidden, channels)`.
    pub(super) down: Tensor,
    /// `(channels, hidden)`.
    pub(super) up: Tensor,
    /// `(hidden)`.
    pub(super) down_bias: Tensor,
    /// `(channels)`.
    pub(super) up_bias: Tensor,
    /// `(channels)`.
    pub(super) norm_weight: Tensor,
    /// `(channels)`.
    pub(super) norm_bias: Tensor,
}

/// Biases and norm of an adapter whose matrices something else makes.
pub(super) struct Vectors {
    pub(super) down_bias: Tensor,
    pub(super) up_bias: Tensor,
    pub(super) norm_weight: Tensor,
    pub(super) norm_bias: Tensor,
}

impl Vectors {
    /// Biases of zero, and the plain norm.
    pub(super) fn new(scope: &Scope, channels: usize, hidden: usize) -> Result<Self> {
        let vector = |name, n, value| scope.weight(name, &[n], Init::Constant(value));
        Ok(Self {
            down_bias: vector("down.bias", hidden, 0.0)?,
            up_bias: vector("up.bias", channels, 0.0)?,
            norm_weight: vector("norm.weight", channels, 1.0)?,
            norm_bias: vector("norm.bias", channels, 0.0)?,
        })
    }

    /// With these matrices, `(hidden, channels)` and `(channels, hidden)`.
    pub(super) fn with(self, down: Tensor, up: Tensor) -> Weights {
        let Self { down_bias, up_bias, norm_weight, norm_bias } = self;
        Weights { down, up, down_bias, up_bias, norm_weight, norm_bias }
    }
}

impl Weights {
    /// Each elementwise the sum of both.
    pub(super) fn plus(&self, other: &Self) -> Result<Self> {
        Ok(Self {
            down: add(&self.down, &other.down)?,
            up: add(&self.up, &other.up)?,
            down_bias: add(&self.down_bias, &other.down_bias)?,
            up_bias: add(&self.up_bias, &other.up_bias)?,
            norm_weight: add(&self.norm_weight, &other.norm_weight)?,
            norm_bias: add(&self.norm_bias, &other.norm_bias)?,
        })
    }

    fn layer(&self, gate: Gate) -> Result<Bottleneck> {
        Ok(Bottleneck {
            down: Linear::from_tensors(self.down.clone(), Some(self.down_bias.clone()))?,
            up: Linear::from_tensors(self.up.clone(), Some(self.up_bias.clone()))?,
            norm: LayerNorm::from_tensors(self.norm_weight.clone(), self.norm_bias.clone(), EPS)?,
            gate,
        })
    }
}

struct Bottleneck {
    down: Linear,
    up: Linear,
    norm: LayerNorm,
    gate: Gate,
}

impl Bottleneck {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.down.forward(x)?;
        let y = match self.gate {
            Gate::Gelu => self.up.forward_gelu(&hidden, Form::Exact)?,
            Gate::Swish => self.up.forward(&hidden.silu()?)?,
        };
        self.norm.forward(&y)
    }
}

/// Adapters by their branch.
pub(super) struct Bottlenecks {
    layers: HashMap<(u32, Part), Bottleneck>,
    parallel: bool,
}

impl Bottlenecks {
    /// Of these weights.
    pub(super) fn new<'a>(
        settings: &MethodSettings,
        weights: impl IntoIterator<Item = (&'a Branch, Weights)>,
    ) -> Result<Self> {
        let layer = |(branch, weights): (&Branch, Weights)| {
            Ok(((branch.block, branch.part), weights.layer(settings.activation)?))
        };
        Ok(Self {
            layers: weights.into_iter().map(layer).collect::<Result<_>>()?,
            parallel: settings.parallel,
        })
    }
}

impl Adapters for Bottlenecks {
    fn adapt(&self, branch: &Branch, x: &Tensor, output: Tensor) -> Result<Tensor> {
        match self.layers.get(&(branch.block, branch.part)) {
            Some(layer) => add(&output, &layer.forward(if self.parallel { x } else { &output })?),
            None => Ok(output),
        }
    }
}

impl Site<'_> {
    /// Where a task's variables of a branch are.
    pub(super) fn branch(&self, task: usize, branch: &Branch) -> Scope {
        self.task(task).at("blocks").at(branch.block).at(part(branch.part))
    }
}

/// A branch's place in keys.
pub(super) fn part(part: Part) -> &'static str {
    match part {
        Part::Attention => "attention",
        Part::Mlp => "mlp",
        Part::Convolution => "convolution",
    }
}
