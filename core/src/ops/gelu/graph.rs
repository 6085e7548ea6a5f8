//! The candle op.
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{Form, cpu};
use crate::graph::{count, read, values};
use crate::simd::Isa;

/// The exact form, by the error function.
///
/// # Errors
/// If x is not f32 on the CPU.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu(Form::Exact))
}

/// The tanh form.
///
/// # Errors
/// See [`gelu`].
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu(Form::Tanh))
}

/// CLIP's form.
///
/// # Errors
/// See [`gelu`].
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu(Form::Quick))
}

struct Gelu(Form);

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout, "gelu")?;
        let mut y = vec![0.0; x.len()];
        cpu::forward(Isa::best(), self.0, x, &mut y);
        count(0, y.len());
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        cpu::backward(Isa::best(), self.0, &read(x)?, &read(&dy.contiguous()?)?, &mut dx);
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
