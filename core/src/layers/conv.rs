//! A convolution with its variables.
use crate::graph::{Init, Result, Scope, Tensor, bail};
use crate::ops::conv2d::conv2d;
use crate::ops::depthwise::depthwise;

/// What a convolution is made of; rows before columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvConfig {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Rows and columns from one place to the next.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side.
    pub padding: [usize; 2],
    /// Each channel by itself (PyTorch's `groups = inputs`), with as many outputs as inputs.
    pub depthwise: bool,
    /// Adds a value to every channel.
    pub bias: bool,
}

impl ConvConfig {
    /// A dense one with a bias and a square kernel of an odd side, which keeps the size of a map.
    #[must_use]
    pub fn same(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [kernel / 2; 2],
            depthwise: false,
            bias: true,
        }
    }
}

/// A convolution of maps; keys `weight` `(outputs, inputs, rows, columns)`, the second extent 1 where it is depthwise,
/// and `bias` `(outputs)`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: ConvConfig,
}

impl Conv2d {
    /// Begins as PyTorch does, uniform within `1 / sqrt(fan in)`, but with a bias of zero.
    ///
    /// # Errors
    /// If variables exist with other shapes, or a depthwise one has not as many outputs as inputs.
    pub fn new(scope: &Scope, config: ConvConfig) -> Result<Self> {
        let ConvConfig { inputs, outputs, kernel: [rows, columns], .. } = config;
        if config.depthwise && inputs != outputs {
            bail!("a depthwise convolution of {inputs} channels cannot have {outputs} outputs");
        }
        let seen = if config.depthwise { 1 } else { inputs };
        let weight = scope.weight("weight", &[outputs, seen, rows, columns], Init::FanIn)?;
        let bias = config.bias.then(|| scope.weight("bias", &[outputs], Init::Constant(0.0))).transpose()?;
        Ok(Self { weight, bias, config })
    }

    /// x is `(batch, height, width, inputs)`; the result is `(batch, rows, columns, outputs)`.
    ///
    /// # Errors
    /// If x has other channels, or is smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let ConvConfig { stride, padding, .. } = self.config;
        let op = if self.config.depthwise { depthwise } else { conv2d };
        op(x, &self.weight, self.bias.as_ref(), stride, padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DType, Device, Gradients, Variables, count_macs, differentiate};

    fn config(depthwise: bool) -> ConvConfig {
        let outputs = if depthwise { 6 } else { 4 };
        ConvConfig {
            inputs: 6,
            outputs,
            kernel: [3, 3],
            stride: [2, 1],
            padding: [1, 0],
            depthwise,
            bias: true,
        }
    }

    #[test]
    fn variables_costs_and_gradients() {
        for depthwise in [false, true] {
            let variables = Variables::random(1);
            let conv = Conv2d::new(&variables.tracked().at("conv"), config(depthwise)).expect("a layer");
            let x = Tensor::ones((2, 8, 7, 6), DType::F32, &Device::Cpu).expect("x");
            let mut gradients = Gradients::default();
            let (y, cost) = count_macs(|| conv.forward(&x).expect("y"));
            let (outputs, seen) = if depthwise { (6, 1) } else { (4, 6) };
            assert_eq!(y.dims(), [2, 4, 5, outputs]);
            assert_eq!(cost.activations, 2 * 4 * 5 * outputs as u64);
            assert_eq!(cost.macs, cost.activations * 9 * seen as u64);
            let weight = variables.get("conv.weight").expect("a weight").var;
            assert_eq!(weight.dims(), [outputs, seen, 3, 3]);
            differentiate(&mut gradients, || conv.forward(&x)?.sum_all()).expect("backward");
            for key in ["conv.weight", "conv.bias"] {
                let var = variables.get(key).expect("a variable").var;
                assert!(gradients.get(&var).expect("a gradient").iter().all(|g| *g > 0.0), "{key}");
            }
        }
    }

    #[test]
    fn a_depthwise_one_keeps_its_channels() {
        let config = ConvConfig { outputs: 12, ..config(true) };
        assert!(Conv2d::new(&Variables::random(1).tracked(), config).is_err());
    }
}
