//! The candle op.
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{Axis, resample};
use crate::graph::{count, read, values};
use crate::simd::Isa;

/// x `(batch, height, width, channels)` interpolated to `size`, height before width.
///
/// # Errors
/// If x has not four extents, or an extent is zero.
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
    x.contiguous()?.apply_op1(Weighted { axes, name })
}

struct Weighted {
    axes: [Axis; 2],
    name: &'static str,
}

impl CustomOp1 for Weighted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, _, _, channels) = layout.shape().dims4()?;
        let [rows, columns] = &self.axes;
        let shape = (batch, rows.outputs(), columns.outputs(), channels);
        let mut y = vec![0.0; batch * rows.outputs() * columns.outputs() * channels];
        resample(Isa::best(), [rows, columns], channels, values(x, layout, self.name)?, &mut y);
        count(0, y.len());
        Ok((CpuStorage::F32(y), shape.into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let dy = dy.contiguous()?;
        let [rows, columns] = [self.axes[0].transposed(), self.axes[1].transposed()];
        let mut dx = vec![0.0; x.elem_count()];
        resample(Isa::best(), [&rows, &columns], x.dim(3)?, &read(&dy)?, &mut dx);
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
