//! Attention in shifted windows with a bias by relative position (Liu et al. 2021, eq. 4).
use nerve_core::graph::{Init, Result, Scope, Tensor, bail, cat, narrow};
use nerve_core::layers::Linear;
use nerve_core::ops::attention::{Packing, WindowConfig, window_attention};

use super::{SwinConfig, SwinForm};
use crate::backbones::prompts::{prompted_windows, roll};

/// Keys `qkv`, `proj` and `relative_position_bias_table` `((2 window - 1)^2, heads)`.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    qkv: Linear,
    proj: Linear,
    table: Tensor,
    /// Which entry of the table each pair of a window's tokens has.
    index: Tensor,
    heads: usize,
    window: usize,
    shifted: bool,
    form: SwinForm,
}

impl Attention {
    pub(super) fn new(scope: &Scope, config: &SwinConfig, stage: usize, shifted: bool) -> Result<Self> {
        let (channels, heads, window) = (config.channels(stage), config.num_heads[stage], config.window_size);
        let qkv = scope.at("qkv");
        let qkv = if config.qkv_bias {
            Linear::new(&qkv, channels, 3 * channels)?
        } else {
            Linear::without_bias(&qkv, channels, 3 * channels)?
        };
        let entries = (2 * window - 1) * (2 * window - 1);
        Ok(Self {
            qkv,
            proj: Linear::new(&scope.at("proj"), channels, channels)?,
            table: scope.weight("relative_position_bias_table", &[entries, heads], Init::Normal(0.02))?,
            index: Tensor::from_vec(relative_index(window), window.pow(4), scope.device())?,
            heads,
            window,
            shifted,
            form: config.form,
        })
    }

    /// `(heads, tokens, tokens)` of a window.
    fn bias(&self) -> Result<Tensor> {
        let tokens = self.window * self.window;
        let bias = self.table.index_select(&self.index, 0)?;
        bias.t()?.contiguous()?.reshape((self.heads, tokens, tokens))
    }

    /// By how much a map of this size is shifted.
    fn shift(&self, size: [usize; 2]) -> [usize; 2] {
        let half = if self.shifted { self.window / 2 } else { 0 };
        match self.form {
            SwinForm::Dense => [half, half],
            SwinForm::Classifier if size.iter().any(|n| *n <= self.window) => [0, 0],
            SwinForm::Classifier => [half, half],
            SwinForm::Timm => size.map(|n| if n <= self.window { 0 } else { half }),
        }
    }

    /// x is `(batch, height, width, channels)`, as is the result.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.proj.forward(&self.attended(x)?)
    }

    /// The projection of what [`Self::attended`] returns.
    pub(super) fn projection(&self) -> &Linear {
        &self.proj
    }

    /// The same before the projection.
    pub(super) fn attended(&self, x: &Tensor) -> Result<Tensor> {
        let (qkv, config, bias, pad) = self.windows(x)?;
        match &pad {
            Some(pad) if self.form == SwinForm::Timm && config.shift != [0, 0] => {
                padded_after_shift(&qkv, &config, &bias, pad)
            }
            pad => window_attention(&qkv, &config, Some(&bias), pad.as_ref()),
        }
    }

    /// The same with prompts `(batch, count, channels)`, which come out, too.
    pub(super) fn prompted(&self, x: &Tensor, prompts: &Tensor) -> Result<(Tensor, Tensor)> {
        let (qkv, config, bias, pad) = self.windows(x)?;
        if pad.is_some() && self.form == SwinForm::Timm && config.shift != [0, 0] {
            bail!("prompts need maps that are multiples of the window in timm's form of Swin");
        }
        let prompts = self.qkv.forward(prompts)?;
        let (y, prompts) = prompted_windows(&qkv, &prompts, &config, Some(&bias), pad.as_ref())?;
        Ok((self.proj.forward(&y)?, self.proj.forward(&prompts)?))
    }

    /// What attention in windows is given: queries, keys and values, the bias, and where the map does not fill its
    /// windows, what a padded token is.
    fn windows(&self, x: &Tensor) -> Result<(Tensor, WindowConfig, Tensor, Option<Tensor>)> {
        let (_, height, width, channels) = x.dims4()?;
        let size = [height, width];
        let qkv = self.qkv.forward(x)?;
        let config = WindowConfig {
            heads: self.heads,
            scale: ((channels / self.heads) as f32).powf(-0.5),
            window: [self.window; 2],
            shift: self.shift(size),
            packing: Packing::Parts,
        };
        let whole = size.iter().all(|n| n.is_multiple_of(self.window));
        // A padded token is zero, of which the projection makes its bias.
        let pad = match self.qkv.bias() {
            _ if whole => None,
            Some(bias) => Some(bias.clone()),
            None => Some(Tensor::zeros(3 * channels, x.dtype(), x.device())?),
        };
        Ok((qkv, config, self.bias()?, pad))
    }
}

/// Rolls the map, pads it, and attends in its windows: timm's order. The op pads before it rolls, so it is given the
/// padded map rolled back.
fn padded_after_shift(qkv: &Tensor, config: &WindowConfig, bias: &Tensor, pad: &Tensor) -> Result<Tensor> {
    let (_, height, width, _) = qkv.dims4()?;
    let size = [height, width];
    let mut x = qkv.clone();
    for (axis, n) in size.into_iter().enumerate() {
        x = roll(&x, axis + 1, config.shift[axis])?;
        let more = n.next_multiple_of(config.window[axis]) - n;
        if more > 0 {
            let mut shape = x.dims().to_vec();
            shape[axis + 1] = more;
            x = cat(&[&x, &pad.broadcast_as(shape)?.contiguous()?], axis + 1)?;
        }
    }
    for axis in 0..2 {
        x = roll(&x, axis + 1, x.dim(axis + 1)? - config.shift[axis])?;
    }
    let mut y = window_attention(&x, config, Some(bias), None)?;
    for (axis, n) in size.into_iter().enumerate() {
        let rolled = narrow(&roll(&y, axis + 1, config.shift[axis])?, axis + 1, 0, n)?;
        y = roll(&rolled, axis + 1, n - config.shift[axis])?;
    }
    Ok(y)
}

/// Entries of the table for all pairs (i, j) of a window's tokens: rows by the vertical distance `y_i - y_j`, columns by
/// the horizontal one.
fn relative_index(window: usize) -> Vec<u32> {
    let tokens = window * window;
    let pair = |(i, j): (usize, usize)| {
        let row = i / window + window - 1 - j / window;
        let column = i % window + window - 1 - j % window;
        (row * (2 * window - 1) + column) as u32
    };
    (0..tokens).flat_map(|i| (0..tokens).map(move |j| pair((i, j)))).collect()
}
