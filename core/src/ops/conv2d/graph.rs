//! The convolution as an op of graphs, with gradients of map, weights and bias.
use candle_core::{Result, Shape, Tensor, bail};

use super::{ConvGeometry, Window, cpu, input};
use crate::graph::{
    Input, InputGradients, Op, add_cost, apply_with_bias, gradient_of, read, weight_gradient,
};
use crate::ops::linear;

/// A convolution: x is `(batch, height, width, inputs)`, `w` is `(outputs, inputs, kernel rows, kernel columns)`, `b`
/// is `(outputs)`; the result is `(batch, rows, columns, outputs)`.
///
/// # Errors
/// If shapes do not fit, or the kernel is larger than the padded map.
pub fn conv2d(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (outputs, inputs, tall, wide) = w.dims4()?;
    if channels != inputs {
        bail!("conv2d: x has {channels} channels, the weights want {inputs}");
    }
    let window = Window { kernel: [tall, wide], stride, padding };
    let size = [height, width];
    let op = Conv2d(ConvGeometry { size, places: window.places(size, "conv2d")?, inputs, outputs, window });
    apply_with_bias(op, x, w, b, outputs)
}

struct Conv2d(ConvGeometry);

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (g, x, w) = (&self.0, inputs[0], inputs[1]);
        let y = cpu::forward(g, &x, &w, inputs.get(2).map(|b| b.values));
        add_cost(y.len() * g.window.area() * g.inputs, y.len());
        Ok((y, (x.dims[0], g.places[0], g.places[1], g.outputs).into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (x, w, dy) = (&inputs[0], &inputs[1], read(dy)?);
        let dx = gradient_of(x, || Ok(input::backward_input(&self.0, &dy, &read(w)?, x.elem_count())))?;
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(&self.0, &values, &dy, dw, accumulate);
        })?;
        let bias = |b| weight_gradient(b, |db, accumulate| linear::backward_bias(&dy, db, accumulate));
        Ok([dx, dw, inputs.get(2).map(bias).transpose()?.flatten()])
    }
}
