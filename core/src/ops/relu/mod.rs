//! The rectified linear unit, `max(x, 0)`, on all threads. (candle's runs on one.)
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::graph::{Input, InputGradients, Op, add_cost, apply, gradient_of, read};
use crate::ops::uncleared::uncleared;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// `max(x, 0)` of every value of x; its gradient at zero is zero.
///
/// # Errors
/// If x is not f32 on the CPU.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply(Relu, &[x])
}

struct Relu;

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let x = inputs[0];
        let mut y = uncleared(x.len());
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = x.max(0.0));
        });
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let x = &inputs[0];
        let dx = gradient_of(x, || {
            let (x, dy) = (read(x)?, read(dy)?);
            let mut dx = uncleared(x.len());
            let chunks = dx.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(dy.par_chunks(CHUNK));
            chunks.for_each(|((dx, x), dy)| {
                for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
                    *dx = if *x > 0.0 { *dy } else { 0.0 };
                }
            });
            Ok(dx)
        })?;
        Ok([dx, None, None])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::check::{Case, agrees};
    use crate::ops::check::TestRng;

    #[test]
    fn values_and_gradients_are_right() {
        for n in [1, 7, 40_000] {
            let x = TestRng::new(n as u64).normals(n, 1.0);
            agrees(Case {
                inputs: &[(&x, &[n])],
                op: &|t| relu(&t[0]),
                forward: &|v| v[0].iter().map(|x| x.max(0.0)).collect(),
                backward: &|v, dy| {
                    vec![v[0].iter().zip(dy).map(|(x, dy)| if *x > 0.0 { *dy } else { 0.0 }).collect()]
                },
            });
        }
    }
}
