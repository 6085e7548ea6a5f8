//! Layer normalisation with its variables.
use crate::graph::{Init, Result, Scope, Tensor};
use crate::ops::layer_norm::layer_norm;

/// Over the last extent; keys `weight` and `bias`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Begins as the plain normalisation.
    ///
    /// # Errors
    /// If the variables are there with other shapes.
    pub fn new(scope: &Scope, channels: usize, eps: f64) -> Result<Self> {
        let weight = scope.weight("weight", &[channels], Init::Constant(1.0))?;
        let bias = scope.weight("bias", &[channels], Init::Constant(0.0))?;
        Ok(Self { weight, bias, eps })
    }

    /// x is `(..., channels)`.
    ///
    /// # Errors
    /// If its last extent is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }

    /// What it makes of a row of equal values: its bias.
    #[must_use]
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}
