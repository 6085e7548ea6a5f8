//! The affine map as an op of graphs, alone and with a GELU of its input.
use std::borrow::Cow;

use candle_core::{Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{
    Input, InputGradients, Op, add_cost, apply_with_bias, gradient_of, read, weight_gradient,
};
use crate::ops::gelu::{self, Form};
use crate::simd::Isa;

/// `y = x W^T + b`: x is `(..., inputs)`, `w` is `(outputs, inputs)`, `b` is `(outputs)`; y is `(..., outputs)`.
///
/// # Errors
/// If shapes do not fit.
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    run(x, w, b, Linear(None))
}

/// `y = gelu(x) W^T + b`, as [`linear`] of [`crate::ops::gelu`]: the second half of a transformer's feed-forward network.
/// The activations are computed again in the backward pass, so that only x is kept, and their gradient never leaves
/// the op.
///
/// # Errors
/// If shapes do not fit.
pub fn linear_of_gelu(x: &Tensor, form: Form, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    run(x, w, b, Linear(Some(form)))
}

fn run(x: &Tensor, w: &Tensor, b: Option<&Tensor>, op: Linear) -> Result<Tensor> {
    let (outputs, inputs) = w.dims2()?;
    if x.dims().last() != Some(&inputs) {
        bail!("linear: x has the shape {:?}, its last extent must be {inputs}", x.dims());
    }
    apply_with_bias(op, x, w, b, outputs)
}

/// With what is applied to x first.
struct Linear(Option<Form>);

impl Linear {
    /// x, activated.
    fn input<'a>(&self, x: &'a [f32]) -> Cow<'a, [f32]> {
        match self.0 {
            None => Cow::Borrowed(x),
            Some(form) => Cow::Owned(gelu::forward(Isa::best(), form, x)),
        }
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (x, w, b) = (inputs[0], inputs[1], inputs.get(2));
        let (outputs, width) = (w.dims[0], w.dims[1]);
        let mut shape = x.dims.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        let y = cpu::forward(&self.input(x.values), w.values, b.map(|b| b.values), width);
        add_cost(x.len() * outputs, y.len());
        Ok((y, shape.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (x, w) = (&inputs[0], &inputs[1]);
        let (width, dy) = (w.dim(1)?, read(dy)?);
        let dx = gradient_of(x, || {
            let mut dx = cpu::backward_input(&dy, &read(w)?, width);
            if let Some(form) = self.0 {
                gelu::backward_in_place(Isa::best(), form, &read(x)?, &mut dx);
            }
            Ok(dx)
        })?;
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(&dy, &self.input(&values), width, dw, accumulate);
        })?;
        let bias = |b| weight_gradient(b, |db, accumulate| cpu::backward_bias(&dy, db, accumulate));
        Ok([dx, dw, inputs.get(2).map(bias).transpose()?.flatten()])
    }
}
