//! The sum of two tensors of one shape, on all threads: residual connections. (candle's runs on one.)
use candle_core::{Result, Shape, Tensor, bail};

use crate::graph::{Input, InputGradients, Keeps, Op, apply, read};
use crate::ops::output::{by_chunks, each, written};

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
    apply(Add, &[a, b])
}

/// The sum of two gradients of one shape, contiguous both.
pub(crate) fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(added(&read(a)?, &read(b)?), a.shape(), a.device())
}

fn added(a: &[f32], b: &[f32]) -> Vec<f32> {
    written(a.len(), |sum| {
        by_chunks(sum, CHUNK, |chunk, sum| {
            let (a, b) = (&a[chunk * CHUNK..], &b[chunk * CHUNK..]);
            each(sum, a.iter().zip(b).map(|(a, b)| a + b))
        })
    })
}

struct Add;

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        Ok((added(&inputs[0], &inputs[1]), inputs[0].dims.into()))
    }

    fn backward(&self, _: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        Ok([Some(dy.clone()), Some(dy.clone()), None])
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
