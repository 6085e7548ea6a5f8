//! The sum of two tensors of one shape, on all threads: residual connections. (candle's runs on one.)
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::graph::values;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// `a + b`.
///
/// # Errors
/// If their shapes differ, or they are not f32 on the CPU.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("add: shapes {:?} and {:?}", a.dims(), b.dims());
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Add)
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (values(a, la, "add")?, values(b, lb, "add")?);
        let mut sum = vec![0.0; a.len()];
        let chunks = sum.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK));
        chunks.for_each(|((sum, a), b)| {
            for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
                *sum = a + b;
            }
        });
        Ok((CpuStorage::F32(sum), la.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(dy.clone()), Some(dy.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::check::{Case, agrees};
    use crate::ops::check::TestRng;

    #[test]
    fn sums_and_gradients_are_right() {
        for n in [1, 3, 40_000] {
            let mut rng = TestRng::new(n as u64);
            let (a, b) = (rng.normals(n, 1.0), rng.normals(n, 1.0));
            agrees(Case {
                inputs: &[(&a, &[n]), (&b, &[n])],
                op: &|t| add(&t[0], &t[1]),
                forward: &|v| v[0].iter().zip(&v[1]).map(|(a, b)| a + b).collect(),
                backward: &|_, dy| vec![dy.to_vec(), dy.to_vec()],
            });
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let zeros = |n| Tensor::zeros(n, candle_core::DType::F32, &candle_core::Device::Cpu).expect("zeros");
        assert!(add(&zeros(2), &zeros(3)).is_err());
    }
}
