//! Softmax as an op of graphs.
use candle_core::{Error, Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{Input, InputGradients, Keeps, Op, add_cost, apply, gradient_of, read};
use crate::simd::Isa;

/// Softmax over the last dimension.
///
/// # Errors
/// If x has no extents, or its last is empty.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.dims().last().is_none_or(|n| *n == 0) {
        bail!("softmax: nothing to normalize in the shape {:?}", x.dims());
    }
    apply(Softmax, &[x])
}

struct Softmax;

fn last(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1)
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn keeps(&self) -> Keeps {
        Keeps::Both
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let x = inputs[0];
        let y = cpu::forward(Isa::best(), &x, last(x.dims));
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], y: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let y = y.ok_or_else(|| Error::Msg("softmax: its output was not kept".into()))?;
        let dx = gradient_of(&inputs[0], || Ok(cpu::backward(&read(y)?, &read(dy)?, last(y.dims()))))?;
        Ok([dx, None, None])
    }
}
