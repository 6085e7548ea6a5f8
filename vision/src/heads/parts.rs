//! Convolutions that several heads use.
use nerve_core::graph::{Mode, Result, Scope, Tensor};
use nerve_core::layers::{BatchNorm2d, Conv2d, ConvConfig};
use nerve_core::ops::relu::relu;

/// A convolution of stride one that keeps the size of a map, with a square kernel of an odd side.
///
/// # Errors
/// If variables exist with other shapes.
pub fn conv(scope: &Scope, inputs: usize, outputs: usize, kernel: usize, bias: bool) -> Result<Conv2d> {
    Conv2d::new(scope, ConvConfig { bias, ..ConvConfig::same(inputs, outputs, kernel) })
}

/// Such a convolution without a bias, batch norm and ReLU; keys `conv` and `batch_norm`.
#[derive(Clone, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    /// From `inputs` to `outputs` channels.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, kernel: usize) -> Result<Self> {
        Ok(Self {
            conv: conv(&scope.at("conv"), inputs, outputs, kernel, false)?,
            norm: BatchNorm2d::new(&scope.at("batch_norm"), outputs, 1e-5, 0.1)?,
        })
    }

    /// x is `(batch, height, width, inputs)`; the result has `outputs` channels.
    ///
    /// # Errors
    /// If x has other channels.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        relu(&self.norm.forward(&self.conv.forward(x)?, mode)?)
    }
}

/// Rows and columns of a map.
pub(super) fn size(x: &Tensor) -> Result<[usize; 2]> {
    let (_, height, width, _) = x.dims4()?;
    Ok([height, width])
}
