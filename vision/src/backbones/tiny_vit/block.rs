//! A block of windowed attention, a local convolution, and an MLP.
use nerve_core::graph::{Init, Mode, Result, Scope, Tensor};
use nerve_core::layers::{LayerNorm, Linear};
use nerve_core::ops::add::add;
use nerve_core::ops::attention::{Packing, WindowConfig, window_attention};

use super::TinyVitConfig;
use super::conv::ConvNorm;
use crate::activation::Activation;
use crate::backbones::parts::Mlp;
use crate::backbones::prompts::{entering, prompted_windows};
use crate::backbones::residual::residual;
use crate::backbones::streams::Streamed;
use crate::backbones::{Branch, Pass};

/// PyTorch's default, in blocks.
const EPS: f64 = 1e-5;

#[derive(Clone, Debug)]
pub(super) struct Block {
    attention: Attention,
    local: ConvNorm,
    norm: LayerNorm,
    mlp: Mlp,
    rate: f32,
    pub(super) branches: [Branch; 2],
}

impl Block {
    pub(super) fn new(
        scope: &Scope,
        config: &TinyVitConfig,
        stage: usize,
        rate: f32,
        index: usize,
    ) -> Result<Self> {
        let channels = config.embed_dims[stage];
        let mlp = scope.at("mlp");
        let (heads, window) = (config.num_heads[stage], config.window_sizes[stage]);
        Ok(Self {
            attention: Attention::new(&scope.at("attn"), channels, heads, window)?,
            local: ConvNorm::depthwise(&scope.at("local_conv"), channels, 1)?,
            norm: LayerNorm::new(&mlp.at("norm"), channels, EPS)?,
            mlp: Mlp::new(
                &mlp,
                channels,
                channels * config.mlp_ratio,
                Activation::Gelu,
                &config.mlps.of(index),
            )?,
            rate,
            branches: Branch::pair(index, channels),
        })
    }

    /// x is `(batch, height, width, channels)`, as is the result; with the prompts that come from the block before, if
    /// there are any.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        prompts: Option<Tensor>,
        pass: Pass<'_>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let [attention, mlp] = &self.branches;
        let mut prompts = entering(pass.prompts, attention.block, x.dim(0)?, prompts)?;
        let x = residual(x, attention, self.rate, pass, |x| match &mut prompts {
            Some(prompts) => {
                let (y, out) = self.attention.prompted(x, prompts)?;
                *prompts = add(prompts, &out)?;
                Ok(y)
            }
            None => self.attention.forward(x),
        })?;
        let x = self.local.forward(&x, pass.mode)?;
        let f = |x: &Tensor, pass: Pass<'_>| self.mlp.forward(&self.norm.forward(x)?, mlp, pass);
        let own = Pass { tap: None, ..pass };
        let prompts = prompts.map(|prompts| add(&prompts, &f(&prompts, own)?)).transpose()?;
        Ok((residual(&x, mlp, self.rate, pass, |x| f(x, pass))?, prompts))
    }
}

impl Streamed for Block {
    fn number(&self) -> u32 {
        self.branches[0].block
    }

    fn attended(&self, x: &Tensor) -> Result<Tensor> {
        self.attention.attended(x)
    }

    /// By its running statistics: streams are of a frozen backbone.
    fn between(&self, h: &Tensor) -> Result<Tensor> {
        self.local.forward(h, Mode::Eval)
    }

    fn normed(&self, h: &Tensor) -> Result<Tensor> {
        self.norm.forward(h)
    }

    fn layers(&self) -> Result<(&Linear, &Linear, &Linear, Activation)> {
        let (first, second, activation) = self.mlp.layers()?;
        Ok((&self.attention.proj, first, second, activation))
    }
}

#[derive(Clone, Debug)]
struct Attention {
    norm: LayerNorm,
    qkv: Linear,
    proj: Linear,
    /// `(heads, side^2)`: a bias for each distance along both sides.
    biases: Tensor,
    /// `(tokens^2)`: which of them a query and a key have.
    offsets: Tensor,
    windows: WindowConfig,
}

impl Attention {
    fn new(scope: &Scope, channels: usize, heads: usize, side: usize) -> Result<Self> {
        let tokens = side * side;
        Ok(Self {
            norm: LayerNorm::new(&scope.at("norm"), channels, EPS)?,
            qkv: Linear::new(&scope.at("qkv"), channels, 3 * channels)?,
            proj: Linear::new(&scope.at("proj"), channels, channels)?,
            biases: scope.weight("attention_biases", &[heads, tokens], Init::Constant(0.0))?,
            offsets: Tensor::from_vec(offsets(side), tokens * tokens, scope.device())?,
            windows: WindowConfig {
                heads,
                scale: ((channels / heads) as f32).powf(-0.5),
                window: [side; 2],
                shift: [0; 2],
                packing: Packing::Heads,
            },
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.proj.forward(&self.attended(x)?)
    }

    /// What the projection is given.
    fn attended(&self, x: &Tensor) -> Result<Tensor> {
        let (qkv, bias, pad) = self.windows(x)?;
        window_attention(&qkv, &self.windows, Some(&bias), pad.as_ref())
    }

    /// With prompts `(batch, count, channels)`, which come out, too.
    fn prompted(&self, x: &Tensor, prompts: &Tensor) -> Result<(Tensor, Tensor)> {
        let (qkv, bias, pad) = self.windows(x)?;
        let prompts = self.qkv.forward(&self.norm.forward(prompts)?)?;
        let (y, prompts) = prompted_windows(&qkv, &prompts, &self.windows, Some(&bias), pad.as_ref())?;
        Ok((self.proj.forward(&y)?, self.proj.forward(&prompts)?))
    }

    /// Queries, keys and values of the map, the bias, and where the map does not fill its windows, what a padded token is.
    fn windows(&self, x: &Tensor) -> Result<(Tensor, Tensor, Option<Tensor>)> {
        let (_, height, width, _) = x.dims4()?;
        let ([side, _], heads) = (self.windows.window, self.windows.heads);
        let bias = self.biases.index_select(&self.offsets, 1)?.reshape((heads, side * side, side * side))?;
        // The map is padded with zeros before the norm, which makes its bias of them.
        let pad = if height.is_multiple_of(side) && width.is_multiple_of(side) {
            None
        } else {
            Some(self.qkv.forward(&self.norm.bias().unsqueeze(0)?)?.squeeze(0)?)
        };
        Ok((self.qkv.forward(&self.norm.forward(x)?)?, bias, pad))
    }
}

/// The number of the offset `(|dy|, |dx|)` of each pair of a window's tokens. The published code numbers offsets as it
/// meets them; it meets them from the first token, and so row by row.
fn offsets(side: usize) -> Vec<u32> {
    let tokens = side * side;
    let pair = |q: usize, k: usize| (q / side).abs_diff(k / side) * side + (q % side).abs_diff(k % side);
    (0..tokens * tokens).map(|i| pair(i / tokens, i % tokens) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::offsets;

    #[test]
    fn offsets_are_numbered_as_they_are_met() {
        for side in [1, 2, 3, 7] {
            let mut met = Vec::new();
            let tokens: Vec<(usize, usize)> = (0..side * side).map(|i| (i / side, i % side)).collect();
            let mut want = Vec::new();
            for a in &tokens {
                for b in &tokens {
                    let offset = (a.0.abs_diff(b.0), a.1.abs_diff(b.1));
                    let place = met.iter().position(|m| *m == offset).unwrap_or_else(|| {
                        met.push(offset);
                        met.len() - 1
                    });
                    want.push(place as u32);
                }
            }
            assert_eq!(offsets(side), want, "side {side}");
        }
    }
}
