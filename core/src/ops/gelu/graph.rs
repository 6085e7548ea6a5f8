//! The three forms as ops of graphs.
use candle_core::{Result, Shape, Tensor};

use super::{Form, cpu};
use crate::graph::{Input, InputGradients, Op, add_cost, apply, gradient_of, read};
use crate::simd::Isa;

/// The exact form, by the error function.
///
/// # Errors
/// If x is not f32 on the CPU.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    apply(Gelu(Form::Exact), &[x])
}

/// The tanh form.
///
/// # Errors
/// See [`gelu`].
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    apply(Gelu(Form::Tanh), &[x])
}

/// CLIP's form.
///
/// # Errors
/// See [`gelu`].
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    apply(Gelu(Form::Quick), &[x])
}

struct Gelu(Form);

impl Op for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let x = inputs[0];
        let y = cpu::forward(Isa::best(), self.0, &x);
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let x = &inputs[0];
        let dx = gradient_of(x, || Ok(cpu::backward(Isa::best(), self.0, &read(x)?, &read(dy)?)))?;
        Ok([dx, None, None])
    }
}
