//! An affine map with its variables.
use crate::graph::{Init, Result, Scope, Tensor};
use crate::ops::gelu::Form;
use crate::ops::linear::{linear, linear_of_gelu};

/// `y = x W^T + b`; keys `weight` `(outputs, inputs)` and `bias` `(outputs)`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// With a bias; begins as vision transformers do: normal with deviation 0.02, bias zero.
    ///
    /// # Errors
    /// If the variables are there with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        let bias = scope.weight("bias", &[outputs], Init::Constant(0.0))?;
        Ok(Self { bias: Some(bias), ..Self::without_bias(scope, inputs, outputs)? })
    }

    /// Without a bias.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn without_bias(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self { weight: scope.weight("weight", &[outputs, inputs], Init::Normal(0.02))?, bias: None })
    }

    /// x is `(..., inputs)`; the result is `(..., outputs)`.
    ///
    /// # Errors
    /// If the last extent of x is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, self.bias.as_ref())
    }

    /// Of `gelu(x)`, in one op that keeps x alone.
    ///
    /// # Errors
    /// See [`Self::forward`].
    pub fn forward_gelu(&self, x: &Tensor, form: Form) -> Result<Tensor> {
        linear_of_gelu(x, form, &self.weight, self.bias.as_ref())
    }

    /// The bias, if it has one.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}
