//! The candle op.
use std::borrow::Cow;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::cpu;
use crate::graph::{count, read, values, weight_gradient};
use crate::ops::gelu::{self, Form};
use crate::simd::Isa;

/// `y = x W^T + b`: x is `(..., inputs)`, `w` is `(outputs, inputs)`, `b` is `(outputs)`; y is `(..., outputs)`.
///
/// # Errors
/// If shapes do not fit.
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    apply(x, w, b, Linear(None))
}

/// `y = gelu(x) W^T + b`, as [`linear`] of [`crate::ops::gelu`]: the second half of a transformer's feed-forward network.
/// The activations are computed again in the backward pass, so that only x is kept, and their gradient never leaves
/// the op.
///
/// # Errors
/// If shapes do not fit.
pub fn linear_of_gelu(x: &Tensor, form: Form, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    apply(x, w, b, Linear(Some(form)))
}

fn apply(x: &Tensor, w: &Tensor, b: Option<&Tensor>, op: Linear) -> Result<Tensor> {
    let (outputs, inputs) = w.dims2()?;
    if x.dims().last() != Some(&inputs) {
        bail!("linear: x has the shape {:?}, its last extent must be {inputs}", x.dims());
    }
    if let Some(b) = b
        && b.dims() != [outputs]
    {
        bail!("linear: b has the shape {:?}, not [{outputs}]", b.dims());
    }
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match b {
        Some(b) => x.apply_op3(&w, &b.contiguous()?, op),
        None => x.apply_op2(&w, op),
    }
}

/// With what is applied to x first.
struct Linear(Option<Form>);

impl Linear {
    /// x, activated.
    fn input<'a>(&self, x: &'a [f32]) -> Cow<'a, [f32]> {
        match self.0 {
            None => Cow::Borrowed(x),
            Some(form) => {
                let mut activated = vec![0.0; x.len()];
                gelu::forward(Isa::best(), form, x, &mut activated);
                Cow::Owned(activated)
            }
        }
    }

    fn run(
        &self,
        x: (&CpuStorage, &Layout),
        w: (&CpuStorage, &Layout),
        b: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = w.1.shape().dims2()?;
        let mut shape = x.1.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        let (x, w) = (values(x.0, x.1, "linear")?, values(w.0, w.1, "linear")?);
        let y = cpu::forward(&self.input(x), w, b, inputs);
        count(x.len() * outputs, y.len());
        Ok((CpuStorage::F32(y), shape.into()))
    }

    fn gradients(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (inputs, dy) = (w.dim(1)?, read(dy)?);
        let dx = if x.track_op() {
            let mut dx = cpu::backward_input(&dy, &read(w)?, inputs);
            if let Some(form) = self.0 {
                gelu::backward_in_place(Isa::best(), form, &read(x)?, &mut dx);
            }
            Some(Tensor::from_vec(dx, x.shape(), x.device())?)
        } else {
            None
        };
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(&dy, &self.input(&values), inputs, dw, accumulate)
        })?;
        Ok((dx, dw))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, w, &dy.contiguous()?)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        self.run((x, lx), (w, lw), Some(values(b, lb, "linear")?))
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
        let (dx, dw) = self.gradients(x, w, &dy)?;
        let dy = read(&dy)?;
        let db = weight_gradient(b, |db, accumulate| cpu::backward_bias(&dy, db, accumulate))?;
        Ok((dx, dw, db))
    }
}
