//! The candle op.
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{Geometry, cpu};
use crate::graph::{count, read, values, weight_gradient};
use crate::ops::conv2d::Window;
use crate::ops::linear;
use crate::simd::Isa;

/// A depthwise convolution: x is `(batch, height, width, channels)`, `w` is `(channels, 1, kernel rows, kernel
/// columns)`, `b` is `(channels)`; the result is `(batch, rows, columns, channels)`.
///
/// # Errors
/// If shapes do not fit, or the kernel is larger than the padded map.
pub fn depthwise(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (outputs, one, tall, wide) = w.dims4()?;
    if [channels, 1] != [outputs, one] {
        bail!("depthwise: x has {channels} channels, the weights have the shape {:?}", w.dims());
    }
    if let Some(b) = b
        && b.dims() != [channels]
    {
        bail!("depthwise: b has the shape {:?}, not [{channels}]", b.dims());
    }
    let window = Window { kernel: [tall, wide], stride, padding };
    let size = [height, width];
    let op = Depthwise(Geometry { size, places: window.places(size, "depthwise")?, channels, window });
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match b {
        Some(b) => x.apply_op3(&w, &b.contiguous()?, op),
        None => x.apply_op2(&w, op),
    }
}

struct Depthwise(Geometry);

impl Depthwise {
    fn run(
        &self,
        x: (&CpuStorage, &Layout),
        w: (&CpuStorage, &Layout),
        b: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (g, batch) = (&self.0, x.1.dims()[0]);
        let shape = (batch, g.places[0], g.places[1], g.channels);
        let (x, w) = (values(x.0, x.1, "depthwise")?, values(w.0, w.1, "depthwise")?);
        let mut y = vec![0.0; batch * g.places[0] * g.places[1] * g.channels];
        cpu::forward(Isa::best(), g, x, w, b, &mut y);
        count(y.len() * g.window.area(), y.len());
        Ok((CpuStorage::F32(y), shape.into()))
    }

    fn gradients(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (isa, dy) = (Isa::best(), read(dy)?);
        let dx = if x.track_op() {
            let mut dx = vec![0.0; x.elem_count()];
            cpu::backward_input(isa, &self.0, &dy, &read(w)?, &mut dx);
            Some(Tensor::from_vec(dx, x.shape(), x.device())?)
        } else {
            None
        };
        let values = read(x)?;
        let dw = weight_gradient(w, |dw, accumulate| {
            cpu::backward_weight(isa, &self.0, &values, &dy, dw, accumulate);
        })?;
        Ok((dx, dw))
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
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

impl CustomOp3 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
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
        self.run((x, lx), (w, lw), Some(values(b, lb, "depthwise")?))
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
