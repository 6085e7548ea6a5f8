//! The ResNets of CLIP (Radford et al. 2021, section 2.4): three convolutions and an average for a stem; bottlenecks whose
//! convolutions all have a stride of one, averages of `stride x stride` values standing after the second one and before
//! the shortcut's.
//!
//! The attention pool that makes embeddings of the last map is [`crate::clip::AttentionPool`]. Keys are OpenAI's:
//! `conv1..3`, `bn1..3`, `layerL.I.{conv1..3, bn1..3, downsample.0, downsample.1}`. `keys` reads files of a whole CLIP,
//! and timm's image encoders.
mod config;
mod keys;

use nerve_core::graph::{Mode, Result, Scope, Tensor};
use nerve_core::layers::{BatchNorm2d, Conv2d, ConvConfig};
use nerve_core::ops::pool::avg_pool2d;
use nerve_core::ops::relu::relu;
use nerve_data::augment::Normalise;

pub use config::ClipResNetConfig;
use keys::ClipResNetKeys;

use super::residual::residual;
use super::{Backbone, BackboneConfig, Branch, Features, Level, Part, Pass};
use crate::load::{Keys, WeightSource};

/// Channels out of a bottleneck per channel inside.
const EXPANSION: usize = 4;

/// A convolution without a bias, and its norm.
#[derive(Clone, Debug)]
struct ConvNorm(Conv2d, BatchNorm2d);

impl ConvNorm {
    fn new(conv: &Scope, norm: &Scope, config: ConvConfig) -> Result<Self> {
        let norm = BatchNorm2d::new(norm, config.outputs, 1e-5, 0.1)?;
        Ok(Self(Conv2d::new(conv, ConvConfig { bias: false, ..config })?, norm))
    }

    /// `convN` and `bnN` of a scope.
    fn numbered(scope: &Scope, n: usize, config: ConvConfig) -> Result<Self> {
        Self::new(&scope.at(format!("conv{n}")), &scope.at(format!("bn{n}")), config)
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        self.1.forward(&self.0.forward(x)?, mode)
    }
}

/// The averages of squares of `side` x `side` values.
fn averaged(x: &Tensor, side: usize) -> Result<Tensor> {
    if side == 1 { Ok(x.clone()) } else { avg_pool2d(x, [side; 2], [side; 2], [0; 2], true) }
}

#[derive(Clone, Debug)]
struct Bottleneck {
    convs: [ConvNorm; 3],
    shortcut: Option<ConvNorm>,
    stride: usize,
    branch: Branch,
}

impl Bottleneck {
    fn new(scope: &Scope, block: usize, inputs: usize, width: usize, stride: usize) -> Result<Self> {
        let outputs = EXPANSION * width;
        let conv = |n, inputs, outputs, kernel| {
            ConvNorm::numbered(scope, n, ConvConfig::same(inputs, outputs, kernel))
        };
        let down = scope.at("downsample");
        let shortcut = || ConvNorm::new(&down.at(0), &down.at(1), ConvConfig::same(inputs, outputs, 1));
        Ok(Self {
            convs: [conv(1, inputs, width, 1)?, conv(2, width, width, 3)?, conv(3, width, outputs, 1)?],
            shortcut: (stride > 1 || inputs != outputs).then(shortcut).transpose()?,
            stride,
            branch: Branch { block: block as u32, part: Part::Convolution, channels: outputs },
        })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let [first, second, third] = &self.convs;
        let identity = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&averaged(x, self.stride)?, pass.mode)?,
            None => x.clone(),
        };
        let sum = residual(&identity, &self.branch, 0.0, pass, |_| {
            let y = relu(&first.forward(x, pass.mode)?)?;
            let y = relu(&second.forward(&y, pass.mode)?)?;
            third.forward(&averaged(&y, self.stride)?, pass.mode)
        })?;
        relu(&sum)
    }
}

/// A ResNet of CLIP's.
#[derive(Clone, Debug)]
pub struct ClipResNet {
    config: ClipResNetConfig,
    stem: [ConvNorm; 3],
    stages: Vec<Vec<Bottleneck>>,
}

impl ClipResNet {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &ClipResNetConfig) -> Result<Self> {
        config.check()?;
        let half = config.width / 2;
        let first = ConvConfig { stride: [2; 2], ..ConvConfig::same(3, half, 3) };
        let stem = [
            ConvNorm::numbered(scope, 1, first)?,
            ConvNorm::numbered(scope, 2, ConvConfig::same(half, half, 3))?,
            ConvNorm::numbered(scope, 3, ConvConfig::same(half, config.width, 3))?,
        ];
        let (mut inputs, mut number) = (config.width, 0);
        let mut stages = Vec::new();
        for (stage, blocks) in config.layers.into_iter().enumerate() {
            let (width, at) = (config.width << stage, scope.at(format!("layer{}", stage + 1)));
            let mut all = Vec::new();
            for i in 0..blocks {
                let stride = if i == 0 && stage > 0 { 2 } else { 1 };
                all.push(Bottleneck::new(&at.at(i), number, inputs, width, stride)?);
                (inputs, number) = (EXPANSION * width, number + 1);
            }
            stages.push(all);
        }
        Ok(Self { config: config.clone(), stem, stages })
    }

    /// The maps of images `(batch, height, width, 3)` after each stage, at strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// If the images have another number of channels, or are smaller than 32 x 32.
    pub fn forward<'a>(&self, images: &Tensor, pass: impl Into<Pass<'a>>) -> Result<Vec<Tensor>> {
        let pass = pass.into();
        let mut x = images.clone();
        for conv in &self.stem {
            x = relu(&conv.forward(&x, pass.mode)?)?;
        }
        x = averaged(&x, 2)?;
        let mut maps = Vec::new();
        for stage in &self.stages {
            for block in stage {
                x = block.forward(&x, pass)?;
            }
            maps.push(x.clone());
        }
        Ok(maps)
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &ClipResNetConfig {
        &self.config
    }
}

impl Backbone for ClipResNet {
    fn levels(&self) -> Vec<Level> {
        let level = |i: usize| Level { channels: (EXPANSION * self.config.width) << i, stride: 4 << i };
        (0..self.stages.len()).map(level).collect()
    }

    fn branches(&self) -> Vec<Branch> {
        self.stages.iter().flatten().map(|block| block.branch).collect()
    }

    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        Ok(Features { maps: self.forward(images, pass)?, global: None, last: None })
    }

    fn keys(&self, _: &WeightSource, _: &str) -> Box<dyn Keys> {
        Box::new(ClipResNetKeys)
    }

    fn normalise(&self) -> Normalise {
        Normalise::clip()
    }

    fn image_multiple(&self) -> usize {
        32
    }
}

impl BackboneConfig for ClipResNetConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(ClipResNet::new(scope, self)?))
    }

    /// Its blocks have no drop path.
    fn dense(&self, _: f32) -> Box<dyn BackboneConfig> {
        Box::new(self.clone())
    }

    fn timm(&self) -> Box<dyn BackboneConfig> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
