//! The candle op of largest values.
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::average::sees;
use super::max::{self, Geometry};
use crate::graph::{count, read, values};
use crate::ops::conv2d::Window;
use crate::simd::Isa;

/// The largest value of every place of a window on x `(batch, height, width, channels)`.
///
/// # Errors
/// If x has not four extents, the kernel is larger than the padded map, or the padding more than half of the kernel.
pub fn max_pool2d(x: &Tensor, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (size, window) = ([height, width], Window { kernel, stride, padding });
    let places = window.places(size, "max_pool2d")?;
    sees(&window, "max_pool2d")?;
    x.contiguous()?.apply_op1(MaxPool(Geometry { size, places, channels, window }))
}

struct MaxPool(Geometry);

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (g, batch) = (&self.0, layout.dims()[0]);
        let mut y = vec![0.0; batch * g.places[0] * g.places[1] * g.channels];
        max::forward(Isa::best(), g, values(x, layout, self.name())?, &mut y);
        count(0, y.len());
        Ok((CpuStorage::F32(y), (batch, g.places[0], g.places[1], g.channels).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let dy = dy.contiguous()?;
        let mut dx = vec![0.0; x.elem_count()];
        max::backward(Isa::best(), &self.0, &read(x)?, &read(&dy)?, &mut dx);
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
