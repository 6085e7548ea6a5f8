//! The convolutional parts.
use nerve_core::graph::{Init, Mode, Result, Scope, Tensor};
use nerve_core::layers::{BatchNorm2d, Conv2d, ConvConfig};
use nerve_core::ops::gelu::{Form, gelu};

use crate::backbones::residual::residual;
use crate::backbones::{Branch, Part, Pass};

/// A convolution without a bias, and batch norm: keys `c` and `bn`.
#[derive(Clone, Debug)]
pub(super) struct ConvNorm {
    convolution: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    /// From `inputs` to `outputs` channels, keeping the grid's centre: padded by half the kernel.
    pub(super) fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
    ) -> Result<Self> {
        Self::of(scope, [inputs, outputs], kernel, stride, false)
    }

    /// 3x3, each channel by itself.
    pub(super) fn depthwise(scope: &Scope, channels: usize, stride: usize) -> Result<Self> {
        Self::of(scope, [channels; 2], 3, stride, true)
    }

    fn of(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        depthwise: bool,
    ) -> Result<Self> {
        let same = ConvConfig::same(inputs, outputs, kernel);
        let config = ConvConfig { stride: [stride; 2], depthwise, bias: false, ..same };
        let convolution = Conv2d::new(&scope.at("c"), config)?;
        Ok(Self { convolution, norm: BatchNorm2d::new(&scope.at("bn"), outputs, 1e-5, 0.1)? })
    }

    pub(super) fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.norm.forward(&self.convolution.forward(x)?, mode)
    }

    /// Activated, in the op of the norm.
    pub(super) fn forward_gelu(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.norm.forward_gelu(&self.convolution.forward(x)?, mode, Form::Exact)
    }
}

/// MBConv: widened, convolved in depth, narrowed, added to its input, activated.
#[derive(Clone, Debug)]
pub(super) struct Residual {
    convolutions: [ConvNorm; 3],
    rate: f32,
    pub(super) branch: Branch,
}

impl Residual {
    pub(super) fn new(scope: &Scope, channels: usize, ratio: usize, rate: f32, index: usize) -> Result<Self> {
        let hidden = channels * ratio;
        // The last norm begins at zero, and the block as its activation.
        let last = scope.at("conv3");
        last.at("bn").weight("weight", &[channels], Init::Constant(0.0))?;
        let convolutions = [
            ConvNorm::new(&scope.at("conv1"), [channels, hidden], 1, 1)?,
            ConvNorm::depthwise(&scope.at("conv2"), hidden, 1)?,
            ConvNorm::new(&last, [hidden, channels], 1, 1)?,
        ];
        let branch = Branch { block: index as u32, part: Part::Convolution, channels };
        Ok(Self { convolutions, rate, branch })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let ([widen, depthwise, narrow], mode) = (&self.convolutions, pass.mode);
        gelu(&residual(x, &self.branch, self.rate, pass, |x| {
            narrow.forward(&depthwise.forward_gelu(&widen.forward_gelu(x, mode)?, mode)?, mode)
        })?)
    }
}

/// PatchMerging: to the next stage's channels, and its grid.
#[derive(Clone, Debug)]
pub(super) struct Merging {
    convolutions: [ConvNorm; 3],
}

impl Merging {
    pub(super) fn new(scope: &Scope, inputs: usize, outputs: usize, stride: usize) -> Result<Self> {
        let convolutions = [
            ConvNorm::new(&scope.at("conv1"), [inputs, outputs], 1, 1)?,
            ConvNorm::depthwise(&scope.at("conv2"), outputs, stride)?,
            ConvNorm::new(&scope.at("conv3"), [outputs; 2], 1, 1)?,
        ];
        Ok(Self { convolutions })
    }

    pub(super) fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let [first, second, third] = &self.convolutions;
        let x = first.forward_gelu(x, mode)?;
        third.forward(&second.forward_gelu(&x, mode)?, mode)
    }
}
