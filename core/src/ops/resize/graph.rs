//! Bilinear and nearest interpolation as ops of graphs; weighted sums of pixels for [`crate::ops::pool`].
use candle_core::{Result, Shape, Tensor, bail};

use super::{Axis, resample};
use crate::graph::{Input, InputGradients, Keeps, Op, add_cost, apply, read};
use crate::simd::Isa;

/// x `(batch, height, width, channels)` interpolated to `size`, height before width.
///
/// # Errors
/// If x does not have four dimensions, or one of them is zero.
pub fn bilinear(x: &Tensor, size: [usize; 2], align_corners: bool) -> Result<Tensor> {
    let [height, width] = positive(x, size, "bilinear")?;
    weighted(
        x,
        [Axis::linear(height, size[0], align_corners), Axis::linear(width, size[1], align_corners)],
        "bilinear",
    )
}

/// x `(batch, height, width, channels)` at `size`, height before width, each pixel a copy.
///
/// # Errors
/// See [`bilinear`].
pub fn nearest(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let [height, width] = positive(x, size, "nearest")?;
    weighted(x, [Axis::nearest(height, size[0]), Axis::nearest(width, size[1])], "nearest")
}

/// Height and width of x, none of them zero, nor those wanted.
pub(crate) fn positive(x: &Tensor, wanted: [usize; 2], op: &'static str) -> Result<[usize; 2]> {
    let (_, height, width, _) = x.dims4()?;
    if height * width * wanted[0] * wanted[1] == 0 {
        bail!("{op}: from {height} x {width} to {wanted:?}");
    }
    Ok([height, width])
}

/// x `(batch, height, width, channels)` by the weights of rows and columns.
pub(crate) fn weighted(x: &Tensor, axes: [Axis; 2], name: &'static str) -> Result<Tensor> {
    apply(Weighted { axes, name }, &[x])
}

struct Weighted {
    axes: [Axis; 2],
    name: &'static str,
}

impl Op for Weighted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (y, shape) = resampled(&self.axes, inputs[0].dims, &inputs[0]);
        add_cost(0, y.len());
        Ok((y, shape))
    }

    fn backward(&self, _: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let axes = [self.axes[0].transposed(), self.axes[1].transposed()];
        let (dx, shape) = resampled(&axes, dy.dims(), &read(dy)?);
        Ok([Some(Tensor::from_vec(dx, shape, dy.device())?), None, None])
    }
}

/// x of the extents `dims`, `(batch, height, width, channels)`, by the weights of rows and columns.
fn resampled([rows, columns]: &[Axis; 2], dims: &[usize], x: &[f32]) -> (Vec<f32>, Shape) {
    let (batch, channels) = (dims[0], dims[3]);
    let y = resample(Isa::best(), [rows, columns], batch, channels, x);
    (y, (batch, rows.outputs(), columns.outputs(), channels).into())
}
