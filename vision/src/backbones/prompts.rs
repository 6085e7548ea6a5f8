//! Prompt tokens beside those of an image (Jia et al. 2022): windows attend to them, too, and each has a copy of them.
//!
//! Attention with prompts is put together of products and a softmax, several times slower than the op without.
use nerve_core::graph::{Result, Tensor, bail, cat, narrow, permute, reshape};
use nerve_core::ops::attention::{Packing, WindowConfig};
use nerve_core::ops::softmax::softmax;

/// Where prompt tokens come from.
pub trait Prompts {
    /// The tokens `(count, channels)` that this block begins with; none where those that left the block before go on.
    fn fresh(&self, block: u32) -> Option<Tensor>;
}

/// The tokens `(batch, count, channels)` that a block begins with.
pub(super) fn entering(
    prompts: Option<&dyn Prompts>,
    block: u32,
    batch: usize,
    before: Option<Tensor>,
) -> Result<Option<Tensor>> {
    match prompts.and_then(|prompts| prompts.fresh(block)) {
        Some(fresh) => {
            let (count, channels) = fresh.dims2()?;
            Ok(Some(fresh.unsqueeze(0)?.broadcast_as((batch, count, channels))?.contiguous()?))
        }
        None => Ok(before),
    }
}

/// [`nerve_core::ops::attention::window_attention`] with prompts `(batch, count, 3 channels)`, packed as the map: the map
/// and the prompts `(batch, count, channels)` that come out, the latter a mean over the windows. Prompts have no bias by
/// position.
pub(super) fn prompted_windows(
    qkv: &Tensor,
    prompts: &Tensor,
    config: &WindowConfig,
    bias: Option<&Tensor>,
    pad: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let (batch, height, width, packed) = qkv.dims4()?;
    let (count, [rows, columns]) = (prompts.dim(1)?, config.window);
    let size = [height.next_multiple_of(rows), width.next_multiple_of(columns)];
    let mut x = qkv.clone();
    for (axis, (from, to)) in [height, width].into_iter().zip(size).enumerate() {
        if from < to {
            let Some(pad) = pad else {
                bail!("a map of {height} x {width} needs the values of padded tokens")
            };
            let mut shape = x.dims().to_vec();
            shape[axis + 1] = to - from;
            x = cat(&[&x, &pad.broadcast_as(shape)?.contiguous()?], axis + 1)?;
        }
        x = roll(&x, axis + 1, config.shift[axis])?;
    }
    let grid = [size[0] / rows, size[1] / columns];
    let (windows, tokens) = (grid[0] * grid[1], rows * columns);
    let x = reshape(&x, vec![batch, grid[0], rows, grid[1], columns, packed])?;
    let x = reshape(&permute(&x, &[0, 1, 3, 2, 4, 5])?, (batch * windows, tokens, packed))?;
    let copies = prompts.unsqueeze(1)?.broadcast_as((batch, windows, count, packed))?.contiguous()?;
    let all = cat(&[&reshape(&copies, (batch * windows, count, packed))?, &x], 1)?;

    let (n, heads, channels) = (count + tokens, config.heads, packed / 3);
    let dim = channels / heads;
    // To (3, batch windows, heads, tokens, dim).
    let parts = match config.packing {
        Packing::Parts => permute(&reshape(&all, (batch * windows, n, 3, heads, dim))?, &[2, 0, 3, 1, 4])?,
        Packing::Heads => permute(&reshape(&all, (batch * windows, n, heads, 3, dim))?, &[3, 0, 2, 1, 4])?,
    };
    let part = |i: usize| narrow(&parts, 0, i, 1)?.squeeze(0);
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * f64::from(config.scale))?;
    let scores = reshape(&scores, vec![batch, windows, heads, n, n])?;
    let added = |scores: Tensor, x: &Tensor, shape: Vec<usize>| {
        let padded = x.pad_with_zeros(1, count, 0)?.pad_with_zeros(2, count, 0)?;
        scores.broadcast_add(&padded.reshape(shape)?)
    };
    let mut scores = match bias {
        Some(bias) => added(scores, bias, vec![1, 1, heads, n, n])?,
        None => scores,
    };
    if config.shift != [0, 0] {
        let mask = Tensor::from_vec(mask(size, config), (windows, tokens, tokens), qkv.device())?;
        scores = added(scores, &mask, vec![1, windows, 1, n, n])?;
    }
    let weights = softmax(&reshape(&scores.contiguous()?, (batch * windows, heads, n, n))?)?;
    let y = permute(&weights.matmul(&v)?, &[0, 2, 1, 3])?;
    let y = reshape(&y, (batch * windows, n, channels))?;

    let out = reshape(&narrow(&y, 1, 0, count)?, (batch, windows, count, channels))?.mean(1)?;
    let x = reshape(&narrow(&y, 1, count, tokens)?, vec![batch, grid[0], grid[1], rows, columns, channels])?;
    let mut x = reshape(&permute(&x, &[0, 1, 3, 2, 4, 5])?, (batch, size[0], size[1], channels))?;
    for (axis, (own, padded)) in [height, width].into_iter().zip(size).enumerate() {
        x = roll(&x, axis + 1, padded - config.shift[axis])?;
        if own < padded {
            x = narrow(&x, axis + 1, 0, own)?;
        }
    }
    Ok((x, out))
}

/// The map with its first `by` places of `axis` at the end.
pub(super) fn roll(x: &Tensor, axis: usize, by: usize) -> Result<Tensor> {
    let n = x.dim(axis)?;
    if by == 0 || by == n {
        return Ok(x.clone());
    }
    cat(&[&narrow(x, axis, by, n - by)?, &narrow(x, axis, 0, by)?], axis)
}

/// Swin's mask `(windows, tokens, tokens)` of a rolled map: -100 between tokens of different regions.
fn mask(size: [usize; 2], config: &WindowConfig) -> Vec<f32> {
    let region = |axis: usize, at: usize| {
        let (size, window, shift) = (size[axis], config.window[axis], config.shift[axis]);
        if at + window < size || shift == 0 {
            0
        } else if at + shift < size {
            1
        } else {
            2
        }
    };
    let [rows, columns] = config.window;
    let (tokens, across) = (rows * columns, size[1] / columns);
    let of = |window: usize, token: usize| {
        let row = window / across * rows + token / columns;
        let column = window % across * columns + token % columns;
        (region(0, row), region(1, column))
    };
    let windows = size[0] / rows * across;
    let pair = |(window, i, j): (usize, usize, usize)| {
        if of(window, i) == of(window, j) { 0.0 } else { -100.0 }
    };
    let all = (0..windows).flat_map(|w| (0..tokens).flat_map(move |i| (0..tokens).map(move |j| (w, i, j))));
    all.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::{Device, read};
    use nerve_core::ops::attention::{self_attention, window_attention};
    use nerve_core::ops::parity::{PARITY_L2, PARITY_MAX, close, widen};

    fn values(seed: usize, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = (seed..seed + n).map(|i| (i * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).expect("values")
    }

    fn same(found: &Tensor, want: &Tensor) {
        assert_eq!(found.dims(), want.dims());
        let of = |x: &Tensor| read(&x.contiguous().expect("contiguous")).expect("values").to_vec();
        close(&of(found), &widen(&of(want)), PARITY_L2, PARITY_MAX).expect("the same");
    }

    fn config(shift: [usize; 2], packing: Packing) -> WindowConfig {
        WindowConfig { heads: 2, scale: 0.7, window: [3, 3], shift, packing }
    }

    #[test]
    fn no_prompts_are_the_op() {
        for (shift, packing) in [([0, 0], Packing::Parts), ([1, 1], Packing::Parts), ([1, 1], Packing::Heads)]
        {
            for size in [[6, 9], [5, 7]] {
                let config = config(shift, packing);
                let (qkv, pad) = (values(3, &[2, size[0], size[1], 24]), values(5, &[24]));
                let bias = values(11, &[2, 9, 9]);
                let want = window_attention(&qkv, &config, Some(&bias), Some(&pad)).expect("the op");
                let none = Tensor::zeros((2, 0, 24), qkv.dtype(), qkv.device()).expect("none");
                let found = prompted_windows(&qkv, &none, &config, Some(&bias), Some(&pad));
                same(&found.expect("a map").0, &want);
            }
        }
    }

    #[test]
    fn one_window_is_a_sequence() {
        let (qkv, prompts) = (values(3, &[2, 3, 3, 24]), values(77, &[2, 4, 24]));
        let config = config([0, 0], Packing::Parts);
        let (map, out) = prompted_windows(&qkv, &prompts, &config, None, None).expect("attention");
        let sequence =
            Tensor::cat(&[&prompts, &qkv.reshape((2, 9, 24)).expect("tokens")], 1).expect("a sequence");
        let want = self_attention(&sequence, 2, 0.7, None).expect("attention");
        same(&out, &want.narrow(1, 0, 4).expect("prompts"));
        same(&map.reshape((2, 9, 8)).expect("tokens"), &want.narrow(1, 4, 9).expect("tokens"));
    }
}
