//! The candle op.
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{Geometry, Window, cpu, input};
use crate::graph::{count, read, values, weight_gradient};
use crate::ops::linear;

/// A convolution: x is `(batch, height, width, inputs)`, `w` is `(outputs, inputs, kernel rows, kernel columns)`, `b`
/// is `(outputs)`; the result is `(batch, rows, columns, outputs)`.
///
/// # Errors
/// If shapes do not fit, or the kernel is larger than the padded map.
pub fn conv2d(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (outputs, inputs, tall, wide) = w.dims4()?;
    if channels != inputs {
        bail!("conv2d: x has {channels} channels, the weights want {inputs}");
    }
    if let Some(b) = b
        && b.dims() != [outputs]
    {
        bail!("conv2d: b has the shape {:?}, not [{outputs}]", b.dims());
    }
    let window = Window { kernel: [tall, wide], stride, padding };
    let size = [height, width];
    let op = Conv2d(Geometry { size, places: window.places(size, "conv2d")?, inputs, outputs, window });
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match b {
        Some(b) => x.apply_op3(&w, &b.contiguous()?, op),
        None => x.apply_op2(&w, op),
    }
}

struct Conv2d(Geometry);

impl Conv2d {
    fn run(
        &self,
        x: (&CpuStorage, &Layout),
        w: (&CpuStorage, &Layout),
        b: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (g, batch) = (&self.0, x.1.dims()[0]);
        let shape = (batch, g.places[0], g.places[1], g.outputs);
        let (x, w) = (values(x.0, x.1, "conv2d")?, values(w.0, w.1, "conv2d")?);
        let y = cpu::forward(g, x, w, b);
        count(y.len() * g.window.area() * g.inputs, y.len());
        Ok((CpuStorage::F32(y), shape.into()))
    }

    fn gradients(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = read(dy)?;
        let dx = if x.track_op() {
            let dx = input::backward_input(&self.0, &dy, &read(w)?, x.elem_count());
            Some(Tensor::from_vec(dx, x.shape(), x.device())?)
        } else {
            None
        };
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(&self.0, &values, &dy, dw, accumulate);
        })?;
        Ok((dx, dw))
    }
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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
        self.run((x, lx), (w, lw), Some(values(b, lb, "conv2d")?))
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
        let db = weight_gradient(b, |db, accumulate| linear::backward_bias(&dy, db, accumulate))?;
        Ok((dx, dw, db))
    }
}
