//! The candle op.
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{read, values};
use crate::simd::Isa;

/// The mean loss of `labels`, one per row of `x` `(..., classes)`, weighted by class; a scalar.
///
/// # Errors
/// If extents do not fit, or there are more than 255 classes.
pub fn cross_entropy(x: &Tensor, labels: Arc<[u8]>, weights: Arc<[f32]>) -> Result<Tensor> {
    let classes = weights.len();
    if classes == 0 || classes > 255 || x.dims().last() != Some(&classes) {
        bail!("cross_entropy: x {:?} for {classes} classes", x.dims());
    }
    if x.elem_count() != labels.len() * classes {
        bail!("cross_entropy: x {:?} for {} labels", x.dims(), labels.len());
    }
    x.contiguous()?.apply_op1(CrossEntropy { labels, weights })
}

struct CrossEntropy {
    labels: Arc<[u8]>,
    weights: Arc<[f32]>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout, "cross_entropy")?;
        let (loss, _) = cpu::forward(Isa::best(), x, &self.labels, &self.weights);
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let classes = self.weights.len();
        let weight = |y: &u8| self.weights.get(usize::from(*y)).map_or(0.0, |w| f64::from(*w));
        let total: f64 = self.labels.iter().map(weight).sum();
        let mut dx = vec![0.0; self.labels.len() * classes];
        let scale = dy.to_scalar::<f32>()?;
        cpu::backward(Isa::best(), &read(x)?, &self.labels, &self.weights, total, scale, &mut dx);
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
