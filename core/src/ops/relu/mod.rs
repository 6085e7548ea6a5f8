//! The rectified linear unit, `max(x, 0)`, on all threads. (candle's runs on one.)
use candle_core::{Result, Shape, Tensor};

use crate::graph::{Input, InputGradients, Op, add_cost, apply, gradient_of, read};
use crate::ops::output::{by_chunks, each, written};

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
        let y = written(x.len(), |y| {
            by_chunks(y, CHUNK, |chunk, y| each(y, x[chunk * CHUNK..].iter().map(|x| x.max(0.0))))
        });
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let x = &inputs[0];
        let dx = gradient_of(x, || {
            let (x, dy) = (read(x)?, read(dy)?);
            let (x, dy): (&[f32], &[f32]) = (&x, &dy);
            Ok(written(x.len(), |dx| {
                by_chunks(dx, CHUNK, |chunk, dx| {
                    let (x, dy) = (&x[chunk * CHUNK..], &dy[chunk * CHUNK..]);
                    each(dx, x.iter().zip(dy).map(|(x, dy)| if *x > 0.0 { *dy } else { 0.0 }))
                })
            }))
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
