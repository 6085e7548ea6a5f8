//! The largest value of windows as an op of graphs.
use candle_core::{Result, Shape, Tensor};

use super::average::sees;
use super::max;
use crate::graph::{Input, InputGradients, Op, add_cost, apply, gradient_of, read};
use crate::ops::conv2d::Window;
use crate::ops::depthwise::ChannelGeometry;
use crate::simd::Isa;

/// The largest value of every place of a window on x `(batch, height, width, channels)`.
///
/// # Errors
/// If x does not have four dimensions, the kernel is larger than the padded map, or the padding more than half of the kernel.
pub fn max_pool2d(x: &Tensor, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (size, window) = ([height, width], Window { kernel, stride, padding });
    let places = window.places(size, "max_pool2d")?;
    sees(&window, "max_pool2d")?;
    apply(MaxPool(ChannelGeometry { size, places, channels, window }), &[x])
}

struct MaxPool(ChannelGeometry);

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (g, x) = (&self.0, inputs[0]);
        let shape = (x.dims[0], g.places[0], g.places[1], g.channels);
        let mut y = vec![0.0; x.dims[0] * g.places[0] * g.places[1] * g.channels];
        max::forward(Isa::best(), g, &x, &mut y);
        add_cost(0, y.len());
        Ok((y, shape.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let x = &inputs[0];
        let dx = gradient_of(x, || {
            let mut dx = vec![0.0; x.elem_count()];
            max::backward(Isa::best(), &self.0, &read(x)?, &read(dy)?, &mut dx);
            Ok(dx)
        })?;
        Ok([dx, None, None])
    }
}
