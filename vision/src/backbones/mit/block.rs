//! A block: attention to reduced keys and values, then the MLP that knows its place.
use nerve_core::graph::{Result, Scope, Tensor, cat, reshape};
use nerve_core::layers::{Conv2d, ConvConfig, Eugen, Int8Linear, LayerNorm, Linear};
use nerve_core::ops::attention::cross_attention;
use nerve_core::ops::eugen::{FeatureConfig, Nonlinearity};

use super::{EPS, MitConfig};
use crate::activation::Activation;
use crate::backbones::mlps::MlpForm;
use crate::backbones::parts::{heard, second_layer};
use crate::backbones::residual::residual;
use crate::backbones::{Branch, Pass};

#[derive(Clone, Debug)]
pub(super) struct Block {
    before_attention: LayerNorm,
    attention: Attention,
    before_mlp: LayerNorm,
    mlp: MixMlp,
    rate: f32,
    pub(super) branches: [Branch; 2],
}

impl Block {
    pub(super) fn new(
        scope: &Scope,
        config: &MitConfig,
        stage: usize,
        rate: f32,
        index: usize,
    ) -> Result<Self> {
        let channels = config.hidden_sizes[stage];
        Ok(Self {
            before_attention: LayerNorm::new(&scope.at("layer_norm_1"), channels, EPS)?,
            attention: Attention::new(&scope.at("attention"), config, stage)?,
            before_mlp: LayerNorm::new(&scope.at("layer_norm_2"), channels, EPS)?,
            mlp: MixMlp::new(&scope.at("mlp"), config, stage, &config.mlps.of(index))?,
            rate,
            branches: Branch::pair(index, channels),
        })
    }

    pub(super) fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let [attention, mlp] = &self.branches;
        let x = residual(x, attention, self.rate, pass, |x| {
            self.attention.forward(&self.before_attention.forward(x)?)
        })?;
        residual(&x, mlp, self.rate, pass, |x| self.mlp.forward(&self.before_mlp.forward(x)?, mlp, pass))
    }
}

/// Efficient self-attention (section 3.1): keys and values come from the map reduced by a convolution whose kernel is
/// its stride, so that the work is the square of the number of tokens divided by the square of the reduction.
#[derive(Clone, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    reduction: Option<(Conv2d, LayerNorm)>,
    dense: Linear,
    heads: usize,
    scale: f32,
}

impl Attention {
    fn new(scope: &Scope, config: &MitConfig, stage: usize) -> Result<Self> {
        let (channels, heads, ratio) =
            (config.hidden_sizes[stage], config.num_attention_heads[stage], config.sr_ratios[stage]);
        let part = scope.at("self");
        let linear = |name| Linear::new(&part.at(name), channels, channels);
        let reduction = if ratio > 1 {
            let same = ConvConfig::same(channels, channels, ratio);
            let conv = ConvConfig { stride: [ratio; 2], padding: [0; 2], ..same };
            let norm = LayerNorm::new(&part.at("layer_norm"), channels, EPS)?;
            Some((Conv2d::new(&part.at("sr"), conv)?, norm))
        } else {
            None
        };
        Ok(Self {
            query: linear("query")?,
            key: linear("key")?,
            value: linear("value")?,
            reduction,
            dense: Linear::new(&scope.at("output").at("dense"), channels, channels)?,
            heads,
            scale: ((channels / heads) as f32).powf(-0.5),
        })
    }

    /// x is `(batch, height, width, channels)`, as is the result.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, height, width, channels) = x.dims4()?;
        let source = match &self.reduction {
            Some((conv, norm)) => norm.forward(&conv.forward(x)?)?,
            None => x.clone(),
        };
        // The reduced map is small: that its keys and values are put together costs less than one product of weights
        // would need that are put together in every step.
        let kv = cat(&[&self.key.forward(&source)?, &self.value.forward(&source)?], 3)?;
        let kv = reshape(&kv, (batch, (), 2 * channels))?;
        let q = reshape(&self.query.forward(x)?, (batch, height * width, channels))?;
        let y = cross_attention(&q, &kv, self.heads, self.scale)?;
        self.dense.forward(&reshape(&y, (batch, height, width, channels))?)
    }
}

/// Mix-FFN (equation 3): a depthwise 3x3 convolution before the activation; as an EUGen layer, before Phi.
#[derive(Clone, Debug)]
struct MixMlp {
    convolution: Conv2d,
    activation: Activation,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Full { dense1: Linear, dense2: Linear },
    Int8 { dense1: Int8Linear, dense2: Int8Linear },
    Eugen(Eugen, Nonlinearity),
}

impl MixMlp {
    fn new(scope: &Scope, config: &MitConfig, stage: usize, form: &MlpForm) -> Result<Self> {
        let channels = config.hidden_sizes[stage];
        let hidden = match form {
            MlpForm::Eugen(config) => config.outputs(),
            MlpForm::Thin(hidden) => *hidden,
            MlpForm::Full | MlpForm::Int8 => channels * config.mlp_ratios[stage],
        };
        let convolution = ConvConfig { depthwise: true, ..ConvConfig::same(hidden, hidden, 3) };
        let convolution = Conv2d::new(&scope.at("dwconv").at("dwconv"), convolution)?;
        if let MlpForm::Eugen(features) = form {
            let phi = features.phi;
            let features = FeatureConfig { phi: Nonlinearity::Identity, ..features.clone() };
            let eugen = Eugen::new(scope, channels, channels, &features)?;
            return Ok(Self { convolution, activation: Activation::Relu, form: Form::Eugen(eugen, phi) });
        }
        let dense1 = Linear::new(&scope.at("dense1"), channels, hidden)?;
        let dense2 = Linear::new(&scope.at("dense2"), hidden, channels)?;
        let form = if *form == MlpForm::Int8 {
            let [dense1, dense2] = [dense1, dense2].map(Int8Linear::new);
            Form::Int8 { dense1, dense2 }
        } else {
            Form::Full { dense1, dense2 }
        };
        Ok(Self { convolution, activation: config.hidden_act, form })
    }

    fn forward(&self, x: &Tensor, branch: &Branch, pass: Pass<'_>) -> Result<Tensor> {
        let activated = |hidden: Tensor| self.activation.forward(&self.convolution.forward(&hidden)?);
        match &self.form {
            Form::Full { dense1, dense2 } => {
                let hidden = self.convolution.forward(&dense1.forward(x)?)?;
                second_layer(dense2, self.activation, x, &hidden, branch, pass)
            }
            Form::Int8 { dense1, dense2 } => {
                let hidden = activated(dense1.forward(x)?)?;
                heard(x, &hidden, dense2.forward(&hidden)?, branch, pass)
            }
            Form::Eugen(eugen, phi) => {
                let hidden = eugen.features().forward(x)?;
                let hidden = match phi {
                    Nonlinearity::Relu => activated(hidden)?,
                    Nonlinearity::Identity => self.convolution.forward(&hidden)?,
                };
                heard(x, &hidden, eugen.theta(&hidden)?, branch, pass)
            }
        }
    }
}
