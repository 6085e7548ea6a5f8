//! Attention as ops of graphs: of a sequence to itself, to another sequence, and inside the windows of a map.
use candle_core::{Result, Shape, Tensor, bail};

use super::cpu::{Call, Gradients, Packed, backward, forward};
use super::pattern::Pattern;
use crate::graph::{
    Input, InputGradients, Op, add_cost, add_or_copy, apply, gradient_of, read, weight_gradient,
};
use crate::simd::Isa;

/// How one tensor packs queries, keys and values in its last dimension.
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
    let pattern = Pattern::Sequences { batch, queries: tokens, keys: tokens };
    let op = Attention { pattern, heads, dim: dim(channels, 3, heads)?, scale, packed: Packed::Parts };
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
    let pattern = Pattern::Sequences { batch, queries, keys };
    let op = Attention { pattern, heads, dim: dim(channels, 1, heads)?, scale, packed: Packed::Apart };
    apply(Cross(op), &[q, kv])
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
    let pattern = Pattern::Windows { batch, map: [height, width], window, shift };
    let pad = pad.filter(|_| pattern.pads());
    if pattern.pads() && pad.is_none_or(|p| p.dims() != [channels]) {
        bail!(
            "attention: a map of {height} x {width} in windows of {window:?} needs the values of padded tokens"
        );
    }
    let packed = if packing == Packing::Parts { Packed::Parts } else { Packed::Heads };
    let op = Attention { pattern, heads, dim: dim(channels, 3, heads)?, scale, packed };
    op.apply(qkv, bias, pad)
}

fn dim(channels: usize, parts: usize, heads: usize) -> Result<usize> {
    if heads == 0 || channels == 0 || !channels.is_multiple_of(parts * heads) {
        bail!("attention: {channels} channels cannot be {parts} x {heads} heads");
    }
    Ok(channels / parts / heads)
}

struct Attention {
    pattern: Pattern,
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
        let (n, m) = self.pattern.extents();
        if let Some(bias) = bias
            && bias.dims() != [self.heads, n, m]
        {
            bail!("attention: a bias of the shape {:?}, not {:?}", bias.dims(), [self.heads, n, m]);
        }
        let inputs: Vec<&Tensor> = [Some(qkv), bias, pad].into_iter().flatten().collect();
        apply(Own { attention: self, bias: bias.is_some() }, &inputs)
    }

    fn call<'a>(&'a self, s: &Slices<'a>) -> Call<'a> {
        let Self { pattern, heads, dim, scale, packed } = self;
        let (heads, dim, scale, packed) = (*heads, *dim, *scale, *packed);
        Call { pattern, heads, dim, scale, packed, q: s.q, kv: s.kv, bias: s.bias, pad: s.pad }
    }

    /// The result for queries of the extents `dims`.
    fn run(&self, dims: &[usize], slices: &Slices<'_>) -> (Vec<f32>, Shape) {
        let call = self.call(slices);
        let channels = self.heads * self.dim;
        let out = forward(Isa::best(), &call);
        add_cost(call.macs(), out.len());
        let mut shape = dims.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = channels;
        }
        (out, shape.into())
    }
}

/// Of one packed tensor to itself; then the bias, if there is one, and the values of padded tokens, if there are any.
struct Own {
    attention: Attention,
    bias: bool,
}

impl Own {
    fn split<'a, T>(&self, inputs: &'a [T]) -> (&'a T, Option<&'a T>, Option<&'a T>) {
        let (bias, pad) = if self.bias { (inputs.get(1), inputs.get(2)) } else { (None, inputs.get(1)) };
        (&inputs[0], bias, pad)
    }
}

impl Op for Own {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (x, bias, pad) = self.split(inputs);
        let (bias, pad) = (bias.map(|b| b.values), pad.map(|p| p.values));
        Ok(self.attention.run(x.dims, &Slices { q: x, kv: x, bias, pad }))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (x, bias, pad) = self.split(inputs);
        let (q, b, p) = (read(x)?, bias.map(read).transpose()?, pad.map(read).transpose()?);
        let slices = Slices { q: &q, kv: &q, bias: b.as_deref(), pad: p.as_deref() };
        let Gradients { q: dq, bias: d_bias, pad: d_pad, .. } =
            backward(Isa::best(), &self.attention.call(&slices), &read(dy)?);
        let small = |of: Option<&Tensor>, sum: &[f32]| match of {
            Some(of) => weight_gradient(of, |buffer, accumulate| add_or_copy(buffer, sum, accumulate)),
            None => Ok(None),
        };
        let (dx, db, dp) = (gradient_of(x, || Ok(dq))?, small(bias, &d_bias)?, small(pad, &d_pad)?);
        Ok(if self.bias { [dx, db, dp] } else { [dx, dp, None] })
    }
}

/// Of queries in one tensor to keys and values in another.
struct Cross(Attention);

impl Op for Cross {
    fn name(&self) -> &'static str {
        "cross-attention"
    }

    fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let slices = Slices { q: &inputs[0], kv: &inputs[1], bias: None, pad: None };
        Ok(self.0.run(inputs[0].dims, &slices))
    }

    fn backward(&self, inputs: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let (q, kv) = (&inputs[0], &inputs[1]);
        let (values_q, values_kv) = (read(q)?, read(kv)?);
        let slices = Slices { q: &values_q, kv: &values_kv, bias: None, pad: None };
        let gradients = backward(Isa::best(), &self.0.call(&slices), &read(dy)?);
        Ok([gradient_of(q, || Ok(gradients.q))?, gradient_of(kv, || Ok(gradients.kv))?, None])
    }
}
