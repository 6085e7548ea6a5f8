//! The candle op.
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{count, read, values};
use crate::simd::Isa;

/// Softmax over the last extent.
///
/// # Errors
/// If x has no extents, or its last is empty.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.dims().last().is_none_or(|n| *n == 0) {
        bail!("softmax: nothing to normalise in the shape {:?}", x.dims());
    }
    x.contiguous()?.apply_op1(Softmax)
}

struct Softmax;

fn last(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1)
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout, "softmax")?;
        let mut y = vec![0.0; x.len()];
        cpu::forward(Isa::best(), x, last(layout.dims()), &mut y);
        count(0, y.len());
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        cpu::backward(&read(y)?, &read(&dy.contiguous()?)?, last(x.dims()), &mut dx);
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
