//! Layer normalization with its variables.
use crate::graph::{Init, Result, Scope, Tensor, bail};
use crate::ops::layer_norm::layer_norm;

/// Over the last extent; keys `weight` and `bias`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Begins as the plain normalization.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(scope: &Scope, channels: usize, eps: f64) -> Result<Self> {
        let weight = scope.weight("weight", &[channels], Init::Constant(1.0))?;
        let bias = scope.weight("bias", &[channels], Init::Constant(0.0))?;
        Ok(Self { weight, bias, eps })
    }

    /// Of given tensors `(channels)`, through which gradients go on to whatever made them.
    ///
    /// # Errors
    /// If they have other shapes.
    pub fn from_tensors(weight: Tensor, bias: Tensor, eps: f64) -> Result<Self> {
        let channels = weight.dims1()?;
        if bias.dims() != [channels] {
            bail!("a layer norm of {channels} channels cannot have a bias of the shape {:?}", bias.dims());
        }
        Ok(Self { weight, bias, eps })
    }

    /// x is `(..., channels)`.
    ///
    /// # Errors
    /// If its last dimension has another size.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }

    /// The bias: what a row of equal values becomes.
    #[must_use]
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}
