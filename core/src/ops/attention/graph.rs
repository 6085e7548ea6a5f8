//! The candle ops.
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::cpu::{Call, Packed, backward, forward};
use super::plan::Plan;
use crate::graph::{add_or_copy, count, read, values, weight_gradient};
use crate::simd::Isa;

/// How one tensor packs queries, keys and values in its last extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// `(3, heads, dim)`, as nearly everywhere.
    #[default]
    Parts,
    /// `(heads, 3, dim)`, as in TinyViT.
    Heads,
}

/// Attention in windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowConfig {
    /// Number of heads.
    pub heads: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Height and width of a window.
    pub window: [usize; 2],
    /// By how much the map is rolled up and left first; below the window.
    pub shift: [usize; 2],
    /// How the tensor is packed.
    pub packing: Packing,
}

/// Attention of each sequence to itself: `qkv` is `(batch, tokens, 3 channels)`, `bias` is `(heads, tokens, tokens)`; the
/// result is `(batch, tokens, channels)`.
///
/// # Errors
/// If shapes do not fit.
pub fn self_attention(qkv: &Tensor, heads: usize, scale: f32, bias: Option<&Tensor>) -> Result<Tensor> {
    let (batch, tokens, channels) = qkv.dims3()?;
    let plan = Plan::Sequences { batch, queries: tokens, keys: tokens };
    let op = Attention { plan, heads, dim: dim(channels, 3, heads)?, scale, packed: Packed::Parts };
    op.apply(qkv, bias, None)
}

/// Attention of each sequence to another: `q` is `(batch, queries, channels)`, `kv` is `(batch, keys, 2 channels)`,
/// keys before values; the result is `(batch, queries, channels)`.
///
/// # Errors
/// If shapes do not fit.
pub fn cross_attention(q: &Tensor, kv: &Tensor, heads: usize, scale: f32) -> Result<Tensor> {
    let ((batch, queries, channels), (others, keys, both)) = (q.dims3()?, kv.dims3()?);
    if batch != others || both != 2 * channels {
        bail!("attention: queries {:?}, keys and values {:?}", q.dims(), kv.dims());
    }
    let plan = Plan::Sequences { batch, queries, keys };
    let op = Attention { plan, heads, dim: dim(channels, 1, heads)?, scale, packed: Packed::Apart };
    q.contiguous()?.apply_op2(&kv.contiguous()?, op)
}

/// Attention inside the windows of a map: `qkv` is `(batch, height, width, 3 channels)`, `bias` is `(heads, tokens,
/// tokens)` of a window, `pad` is `(3 channels)`, packed as `qkv`: the values of tokens beyond the map, needed where
/// the map is not a multiple of the window. The result is `(batch, height, width, channels)`.
///
/// # Errors
/// If shapes do not fit, or `pad` is missing.
pub fn window_attention(
    qkv: &Tensor,
    config: &WindowConfig,
    bias: Option<&Tensor>,
    pad: Option<&Tensor>,
) -> Result<Tensor> {
    let (batch, height, width, channels) = qkv.dims4()?;
    let WindowConfig { heads, scale, window, shift, packing } = *config;
    if window.contains(&0) || shift[0] >= window[0] || shift[1] >= window[1] {
        bail!("attention: a window of {window:?} cannot be shifted by {shift:?}");
    }
    let plan = Plan::Windows { batch, map: [height, width], window, shift };
    let pad = pad.filter(|_| plan.pads());
    if plan.pads() && pad.is_none_or(|p| p.dims() != [channels]) {
        bail!(
            "attention: a map of {height} x {width} in windows of {window:?} needs the values of padded tokens"
        );
    }
    let packed = if packing == Packing::Parts { Packed::Parts } else { Packed::Heads };
    let op = Attention { plan, heads, dim: dim(channels, 3, heads)?, scale, packed };
    op.apply(qkv, bias, pad)
}

fn dim(channels: usize, parts: usize, heads: usize) -> Result<usize> {
    if heads == 0 || channels == 0 || !channels.is_multiple_of(parts * heads) {
        bail!("attention: {channels} channels cannot be {parts} x {heads} heads");
    }
    Ok(channels / parts / heads)
}

#[derive(Clone)]
struct Attention {
    plan: Plan,
    heads: usize,
    dim: usize,
    scale: f32,
    packed: Packed,
}

/// The tensors of one pass, as slices.
struct Slices<'a> {
    q: &'a [f32],
    kv: &'a [f32],
    bias: Option<&'a [f32]>,
    pad: Option<&'a [f32]>,
}

impl Attention {
    /// On one packed tensor.
    fn apply(self, qkv: &Tensor, bias: Option<&Tensor>, pad: Option<&Tensor>) -> Result<Tensor> {
        let (n, m) = self.plan.extents();
        if let Some(bias) = bias
            && bias.dims() != [self.heads, n, m]
        {
            bail!("attention: a bias of the shape {:?}, not {:?}", bias.dims(), [self.heads, n, m]);
        }
        let qkv = qkv.contiguous()?;
        match (bias, pad) {
            (None, None) => qkv.apply_op1(self),
            (Some(bias), None) => qkv.apply_op2(&bias.contiguous()?, WithBias(self)),
            (None, Some(pad)) => qkv.apply_op2(&pad.contiguous()?, WithPad(self)),
            (Some(bias), Some(pad)) => qkv.apply_op3(&bias.contiguous()?, &pad.contiguous()?, self),
        }
    }

    fn call<'a>(&'a self, s: &Slices<'a>) -> Call<'a> {
        let Self { plan, heads, dim, scale, packed } = self;
        let (heads, dim, scale, packed) = (*heads, *dim, *scale, *packed);
        Call { plan, heads, dim, scale, packed, q: s.q, kv: s.kv, bias: s.bias, pad: s.pad }
    }

    fn run(&self, layout: &Layout, slices: &Slices<'_>) -> Result<(CpuStorage, Shape)> {
        let call = self.call(slices);
        let channels = self.heads * self.dim;
        let mut out = vec![0.0; self.plan.rows().0 * channels];
        forward(Isa::best(), &call, &mut out);
        count(call.macs(), out.len());
        let mut shape = layout.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = channels;
        }
        Ok((CpuStorage::F32(out), shape.into()))
    }

    /// Gradients of the packed tensor, the bias and the padding.
    fn gradients(
        &self,
        qkv: &Tensor,
        bias: Option<&Tensor>,
        pad: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dy = dy.contiguous()?;
        let (q, bias_values, pad_values) =
            (read(qkv)?, bias.map(read).transpose()?, pad.map(read).transpose()?);
        let slices = Slices { q: &q, kv: &q, bias: bias_values.as_deref(), pad: pad_values.as_deref() };
        let mut dq = vec![0.0; qkv.elem_count()];
        let sums = backward(Isa::best(), &self.call(&slices), &read(&dy)?, &mut dq, None);
        let dq = if qkv.track_op() { Some(Tensor::from_vec(dq, qkv.shape(), qkv.device())?) } else { None };
        let small = |of: Option<&Tensor>, sum: &[f32]| match of {
            Some(of) => weight_gradient(of, |buffer, accumulate| add_or_copy(buffer, sum, accumulate)),
            None => Ok(None),
        };
        Ok([dq, small(bias, &sums.bias)?, small(pad, &sums.pad)?])
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout, "attention")?;
        self.run(layout, &Slices { q: x, kv: x, bias: None, pad: None })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx, ..] = self.gradients(x, None, None, dy)?;
        Ok(dx)
    }
}

struct WithBias(Attention);

impl CustomOp2 for WithBias {
    fn name(&self) -> &'static str {
        "attention with bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, bias) = (values(x, lx, "attention")?, Some(values(b, lb, "attention")?));
        self.0.run(lx, &Slices { q: x, kv: x, bias, pad: None })
    }

    fn bwd(
        &self,
        x: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, db, _] = self.0.gradients(x, Some(b), None, dy)?;
        Ok((dx, db))
    }
}

struct WithPad(Attention);

impl CustomOp2 for WithPad {
    fn name(&self) -> &'static str {
        "attention with padding"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        p: &CpuStorage,
        lp: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, pad) = (values(x, lx, "attention")?, Some(values(p, lp, "attention")?));
        self.0.run(lx, &Slices { q: x, kv: x, bias: None, pad })
    }

    fn bwd(
        &self,
        x: &Tensor,
        p: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, _, dp] = self.0.gradients(x, None, Some(p), dy)?;
        Ok((dx, dp))
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention with bias and padding"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        p: &CpuStorage,
        lp: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = values(x, lx, "attention")?;
        let (bias, pad) = (Some(values(b, lb, "attention")?), Some(values(p, lp, "attention")?));
        self.run(lx, &Slices { q: x, kv: x, bias, pad })
    }

    fn bwd(
        &self,
        x: &Tensor,
        b: &Tensor,
        p: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, db, dp] = self.gradients(x, Some(b), Some(p), dy)?;
        Ok((dx, db, dp))
    }
}

/// Apart: queries in one tensor, keys and values in another.
impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "cross-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        kv: &CpuStorage,
        lkv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, kv) = (values(q, lq, "attention")?, values(kv, lkv, "attention")?);
        self.run(lq, &Slices { q, kv, bias: None, pad: None })
    }

    fn bwd(
        &self,
        q: &Tensor,
        kv: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (mut dq, mut dkv) = (vec![0.0; q.elem_count()], vec![0.0; kv.elem_count()]);
        {
            let (q, kv) = (read(q)?, read(kv)?);
            let slices = Slices { q: &q, kv: &kv, bias: None, pad: None };
            backward(Isa::best(), &self.call(&slices), &read(&dy)?, &mut dq, Some(&mut dkv));
        }
        let tensor = |of: &Tensor, values| {
            if of.track_op() { Tensor::from_vec(values, of.shape(), of.device()).map(Some) } else { Ok(None) }
        };
        Ok((tensor(q, dq)?, tensor(kv, dkv)?))
    }
}
