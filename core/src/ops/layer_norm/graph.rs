//! The normalization as an op of graphs, with gradients of rows, weight and bias.
use candle_core::{Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{
    Input, InputGradients, Op, add_cost, add_or_copy, apply, gradient_of, read, weight_gradient,
};
use crate::simd::Isa;

/// Layer normalization over the last dimension of x, which `w` and `b` are as long as.
///
/// # Errors
/// If shapes do not fit.
pub fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = w.dims1()?;
    if x.dims().last() != Some(&channels) || b.dims() != [channels] || channels == 0 {
        bail!("layer_norm: x {:?}, weight {:?}, bias {:?}", x.dims(), w.dims(), b.dims());
    }
    apply(LayerNorm { eps: eps as f32 }, &[x, w, b])
}

struct LayerNorm {
    eps: f32,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (x, w, b) = (inputs[0], inputs[1], inputs[2]);
        let y = cpu::forward(Isa::best(), &x, &w, &b, self.eps);
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (x, w, b) = (&inputs[0], &inputs[1], &inputs[2]);
        let [dx, dw, db] = cpu::backward(Isa::best(), &read(x)?, &read(w)?, &read(dy)?, self.eps);
        let dw = weight_gradient(w, |sum, accumulate| add_or_copy(sum, &dw, accumulate))?;
        let db = weight_gradient(b, |sum, accumulate| add_or_copy(sum, &db, accumulate))?;
        Ok([gradient_of(x, || Ok(dx))?, dw, db])
    }
}
