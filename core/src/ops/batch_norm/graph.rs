//! The normalization as an op of graphs: by the batch's own statistics, and by given ones.
use std::sync::Arc;

use candle_core::{Result, Shape, Tensor, bail};

use super::{Normalization, Statistics, apply, backward, statistics};
use crate::graph::{Input, InputGradients, Op, add_cost, add_or_copy, apply as run, read, weight_gradient};
use crate::ops::gelu::Form;
use crate::simd::Isa;

/// Normalizes x `(..., channels)` by its own statistics, which it returns beside the result; `w` and `b` are
/// `(channels)`. An activation after it costs no op of its own: the backward pass computes its input again, so that
/// only x is kept.
///
/// # Errors
/// If shapes do not fit, or x has fewer than two rows.
pub fn batch_norm(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    eps: f64,
    activation: Option<Form>,
) -> Result<(Tensor, Arc<Statistics>)> {
    let channels = check(x, w, b)?;
    let x = x.contiguous()?;
    let rows = x.elem_count() / channels.max(1);
    if rows < 2 {
        bail!("batch_norm: {rows} values of each channel have no variance to train with");
    }
    let of = Arc::new(statistics(Isa::best(), &read(&x)?, channels));
    let y = run(BatchNorm { of: of.clone(), eps, activation }, &[&x, w, b])?;
    Ok((y, of))
}

/// Normalizes x `(..., channels)` by given means and variances, as in evaluation; see [`batch_norm`].
///
/// # Errors
/// If shapes do not fit.
pub fn normalize(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    mean: &[f32],
    variance: &[f32],
    eps: f64,
    activation: Option<Form>,
) -> Result<Tensor> {
    let channels = check(x, w, b)?;
    if mean.len() != channels || variance.len() != channels {
        bail!("batch_norm: {} means, {} variances, {channels} channels", mean.len(), variance.len());
    }
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect();
    let of = Arc::new(Statistics { mean: wide(mean), variance: wide(variance), rows: None });
    run(BatchNorm { of, eps, activation }, &[x, w, b])
}

fn check(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<usize> {
    let channels = w.dims1()?;
    if x.dims().last() != Some(&channels) || b.dims() != [channels] {
        bail!("batch_norm: x {:?}, w {:?} and b {:?} do not fit", x.dims(), w.dims(), b.dims());
    }
    Ok(channels)
}

struct BatchNorm {
    of: Arc<Statistics>,
    eps: f64,
    activation: Option<Form>,
}

impl BatchNorm {
    fn with<'a>(&'a self, w: &'a [f32], b: &'a [f32]) -> Normalization<'a> {
        Normalization { statistics: &self.of, eps: self.eps, w, b, activation: self.activation }
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (x, w, b) = (inputs[0], inputs[1], inputs[2]);
        let y = apply(Isa::best(), &x, &self.with(w.values, b.values));
        add_cost(0, y.len());
        Ok((y, x.dims.into()))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (x, w, b) = (&inputs[0], &inputs[1], &inputs[2]);
        let (values, bias) = (read(w)?, read(b)?);
        let of = self.with(&values, &bias);
        let ([dw, db], dx) = backward(Isa::best(), &read(x)?, &of, &read(dy)?, x.track_op());
        let dw = weight_gradient(w, |sum, accumulate| add_or_copy(sum, &dw, accumulate))?;
        let db = weight_gradient(b, |sum, accumulate| add_or_copy(sum, &db, accumulate))?;
        Ok([dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?, dw, db])
    }
}
