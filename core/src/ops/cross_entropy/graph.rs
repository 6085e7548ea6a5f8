//! The loss as an op of graphs.
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{Input, InputGradients, Op, apply, gradient_of, read};
use crate::simd::Isa;

/// The mean loss of `labels`, one per row of `x` `(..., classes)`, weighted by class; a scalar.
///
/// # Errors
/// If shapes do not fit, or there are more than 255 classes.
pub fn cross_entropy(x: &Tensor, labels: Arc<[u8]>, weights: Arc<[f32]>) -> Result<Tensor> {
    let classes = weights.len();
    if classes == 0 || classes > 255 || x.dims().last() != Some(&classes) {
        bail!("cross_entropy: x {:?} for {classes} classes", x.dims());
    }
    if x.elem_count() != labels.len() * classes {
        bail!("cross_entropy: x {:?} for {} labels", x.dims(), labels.len());
    }
    apply(CrossEntropy { labels, weights }, &[x])
}

struct CrossEntropy {
    labels: Arc<[u8]>,
    weights: Arc<[f32]>,
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (loss, _) = cpu::forward(Isa::best(), &inputs[0], &self.labels, &self.weights);
        Ok((vec![loss], Shape::from(())))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let weight = |y: &u8| self.weights.get(usize::from(*y)).map_or(0.0, |w| f64::from(*w));
        let total: f64 = self.labels.iter().map(weight).sum();
        let (x, scale) = (&inputs[0], dy.to_scalar::<f32>()?);
        let dx = gradient_of(x, || {
            Ok(cpu::backward(Isa::best(), &read(x)?, &self.labels, &self.weights, total, scale))
        })?;
        Ok([dx, None, None])
    }
}
