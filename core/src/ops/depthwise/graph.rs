//! The convolution as an op of graphs, with gradients of map, weights and bias.
use candle_core::{Result, Shape, Tensor, bail};

use super::{ChannelGeometry, cpu};
use crate::graph::{
    Input, InputGradients, Op, add_cost, apply_with_bias, gradient_of, read, weight_gradient,
};
use crate::ops::conv2d::Window;
use crate::ops::linear;
use crate::simd::Isa;

/// A depthwise convolution: x is `(batch, height, width, channels)`, `w` is `(channels, 1, kernel rows, kernel
/// columns)`, `b` is `(channels)`; the result is `(batch, rows, columns, channels)`.
///
/// # Errors
/// If shapes do not fit, or the kernel is larger than the padded map.
pub fn depthwise(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (outputs, one, tall, wide) = w.dims4()?;
    if [channels, 1] != [outputs, one] {
        bail!("depthwise: x has {channels} channels, the weights have the shape {:?}", w.dims());
    }
    let window = Window { kernel: [tall, wide], stride, padding };
    let size = [height, width];
    let op = Depthwise(ChannelGeometry { size, places: window.places(size, "depthwise")?, channels, window });
    apply_with_bias(op, x, w, b, channels)
}

struct Depthwise(ChannelGeometry);

impl Op for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (g, x, w) = (&self.0, inputs[0], inputs[1]);
        let y = cpu::forward(Isa::best(), g, x.dims[0], &x, &w, inputs.get(2).map(|b| b.values));
        add_cost(y.len() * g.window.area(), y.len());
        Ok((y, (x.dims[0], g.places[0], g.places[1], g.channels).into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (isa, x, w, dy) = (Isa::best(), &inputs[0], &inputs[1], read(dy)?);
        let batch = x.dim(0)?;
        let dx = gradient_of(x, || Ok(cpu::backward_input(isa, &self.0, batch, &dy, &read(w)?)))?;
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(isa, &self.0, &values, &dy, dw, accumulate);
        })?;
        let bias = |b| weight_gradient(b, |db, accumulate| linear::backward_bias(&dy, db, accumulate));
        Ok([dx, dw, inputs.get(2).map(bias).transpose()?.flatten()])
    }
}
