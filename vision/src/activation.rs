//! Activation functions by the names that published configurations use.
use nerve_core::graph::{Result, Tensor};
use nerve_core::ops::gelu::{self, Form};
use nerve_core::ops::relu::relu;
use serde::{Deserialize, Serialize};

/// The activation of a model's MLPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// `x Phi(x)`, with the error function.
    #[default]
    #[serde(rename = "gelu")]
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluTanh,
    /// `x sigmoid(1.702 x)`.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// `max(x, 0)`.
    #[serde(rename = "relu")]
    Relu,
}

impl Activation {
    /// Applies it to every value of x.
    ///
    /// # Errors
    /// If x is not f32 on the CPU.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu => gelu::gelu(x),
            Self::GeluTanh => gelu::gelu_tanh(x),
            Self::QuickGelu => gelu::quick_gelu(x),
            Self::Relu => relu(x),
        }
    }

    /// The form of GELU, if it is one.
    #[must_use]
    pub fn gelu(self) -> Option<Form> {
        match self {
            Self::Gelu => Some(Form::Exact),
            Self::GeluTanh => Some(Form::Tanh),
            Self::QuickGelu => Some(Form::Quick),
            Self::Relu => None,
        }
    }
}
