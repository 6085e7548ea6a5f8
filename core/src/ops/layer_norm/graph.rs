//! The candle op.
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{add_or_copy, count, read, values, weight_gradient};
use crate::simd::Isa;

/// Layer normalisation over the last extent of x, which `w` and `b` are as long as.
///
/// # Errors
/// If shapes do not fit.
pub fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = w.dims1()?;
    if x.dims().last() != Some(&channels) || b.dims() != [channels] || channels == 0 {
        bail!("layer_norm: x {:?}, weight {:?}, bias {:?}", x.dims(), w.dims(), b.dims());
    }
    x.contiguous()?.apply_op3(&w.contiguous()?, &b.contiguous()?, LayerNorm { eps: eps as f32 })
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = "layer_norm";
        let (x, w, b) = (values(x, lx, name)?, values(w, lw, name)?, values(b, lb, name)?);
        let mut y = vec![0.0; x.len()];
        cpu::forward(Isa::best(), x, w, b, self.eps, &mut y);
        count(0, y.len());
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let mut dx = vec![0.0; x.elem_count()];
        let (dw, db) = cpu::backward(Isa::best(), &read(x)?, &read(w)?, &read(&dy)?, self.eps, &mut dx);
        let dw = weight_gradient(w, |sum, accumulate| add_or_copy(sum, &dw, accumulate))?;
        let db = weight_gradient(b, |sum, accumulate| add_or_copy(sum, &db, accumulate))?;
        let dx = if x.track_op() { Some(Tensor::from_vec(dx, x.shape(), x.device())?) } else { None };
        Ok((dx, dw, db))
    }
}
