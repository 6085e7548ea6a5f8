//! TinyViT-5M (Wu et al. 2022, "TinyViT: Fast Pretraining Distillation for Small Vision Transformers"), in the form of
//! MobileSAM's image encoder (Zhang et al. 2023) and in timm's.
//!
//! A convolutional stage at stride 4 and three stages of windowed attention. MobileSAM's last merging keeps the grid,
//! so that its stages are at strides 4, 8, 16 and 16; timm's `tiny_vit_5m_224` halves it once more. Keys are those of
//! `mobile_sam.pt` below `image_encoder.`; timm's are translated ([`TinyVitKeys`]).
mod block;
mod config;
mod conv;
mod keys;

use nerve_core::graph::{Result, Scope, Tensor, bail};
use nerve_core::layers::{Conv2d, ConvConfig, LayerNorm};

use super::streams::{Streamed, stream};
use super::{Backbone, BackboneConfig, Branch, Features, Level, MlpForms, Pass, Stages, StreamUpdates};
use crate::load::{Keys, WeightSource};
use block::Block;
pub use config::TinyVitConfig;
use conv::{ConvNorm, Merging, Residual};
pub use keys::TinyVitKeys;

/// The trunk: an image becomes four maps.
#[derive(Clone, Debug)]
pub struct TinyVit {
    embed: [ConvNorm; 2],
    convolutional: Vec<Residual>,
    attentive: Vec<(Merging, Vec<Block>)>,
    levels: Vec<Level>,
}

impl TinyVit {
    /// Finds or makes its variables in the scope.
    ///
    /// # Errors
    /// If the configuration is contradictory ([`TinyVitConfig::check`]), or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &TinyVitConfig) -> Result<Self> {
        config.check()?;
        let widths = config.embed_dims;
        let embed = scope.at("patch_embed").at("seq");
        let mut places = config.drop_rates().into_iter().zip(0..);
        let layers = scope.at("layers");
        let mut convolutional = Vec::new();
        for (i, (drop, index)) in places.by_ref().take(config.depths[0]).enumerate() {
            let at = layers.at(0).at("blocks").at(i);
            convolutional.push(Residual::new(&at, widths[0], config.mbconv_expand_ratio, drop, index)?);
        }
        let mut attentive = Vec::new();
        for stage in 1..4 {
            // A merging belongs to the stage before it, by its key.
            let stride = if stage == 3 { config.last_stride } else { 2 };
            let at = layers.at(stage - 1).at("downsample");
            let merging = Merging::new(&at, widths[stage - 1], widths[stage], stride)?;
            let mut blocks = Vec::new();
            for (i, (drop, index)) in places.by_ref().take(config.depths[stage]).enumerate() {
                blocks.push(Block::new(&layers.at(stage).at("blocks").at(i), config, stage, drop, index)?);
            }
            attentive.push((merging, blocks));
        }
        let embed = [
            ConvNorm::new(&embed.at(0), [config.in_chans, widths[0] / 2], 3, 2)?,
            ConvNorm::new(&embed.at(2), [widths[0] / 2, widths[0]], 3, 2)?,
        ];
        Ok(Self { embed, convolutional, attentive, levels: config.levels() })
    }

    /// The maps of images; `end` is told the first stage's map, and what the last block of each further one is given.
    fn run(&self, images: &Tensor, pass: Pass<'_>, end: &mut dyn FnMut(&Tensor)) -> Result<Vec<Tensor>> {
        let mode = pass.mode;
        let x = self.embed[0].forward_gelu(images, mode)?;
        let mut x = self.embed[1].forward(&x, mode)?;
        for block in &self.convolutional {
            x = block.forward(&x, pass)?;
        }
        end(&x);
        let mut maps = vec![x.clone()];
        for (merging, blocks) in &self.attentive {
            x = merging.forward(&x, mode)?;
            // Prompts are no map: they end where maps are merged.
            let mut prompts = None;
            for (j, block) in blocks.iter().enumerate() {
                if j + 1 == blocks.len() {
                    end(&x);
                }
                (x, prompts) = block.forward(&x, prompts, pass)?;
            }
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

impl Backbone for TinyVit {
    fn levels(&self) -> Vec<Level> {
        self.levels.clone()
    }

    fn branches(&self) -> Vec<Branch> {
        let attentive = self.attentive.iter().flat_map(|(_, blocks)| blocks);
        let first = self.convolutional.iter().map(|block| block.branch);
        first.chain(attentive.flat_map(|block| block.branches)).collect()
    }

    /// Images of any size will do; each halving rounds up.
    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        Ok(Features { maps: self.run(images, pass, &mut |_| ())?, global: None, last: None })
    }

    /// Those of attention; the first stage, of convolutions, has none.
    fn last_blocks(&self) -> Vec<(String, u32)> {
        let stages = self.attentive.iter().enumerate();
        let last = |(i, (_, blocks)): (usize, &(Merging, Vec<Block>))| {
            let block = blocks.last()?;
            Some((format!("layers.{}.blocks.{}", i + 1, blocks.len() - 1), block.number()))
        };
        stages.filter_map(last).collect()
    }

    fn stages(&self, images: &Tensor, pass: Pass<'_>) -> Result<Stages> {
        let mut ends = Vec::new();
        let maps = self.run(images, pass, &mut |x| ends.push(x.clone()))?;
        Ok(Stages { maps, ends })
    }

    /// The first map is the shared one.
    fn stream(&self, ends: &[Tensor], updates: &dyn StreamUpdates) -> Result<Vec<Tensor>> {
        let Some((first, ends)) = ends.split_first() else { bail!("no stage has an end") };
        let mut maps = vec![first.clone()];
        for ((_, blocks), x) in self.attentive.iter().zip(ends) {
            let Some(block) = blocks.last() else { bail!("a stage without blocks") };
            maps.push(stream(block, x, updates)?);
        }
        Ok(maps)
    }

    fn keys(&self, _: &WeightSource, _: &str) -> Box<dyn Keys> {
        Box::new(TinyVitKeys { neck: false })
    }

    fn takes_prompts(&self) -> bool {
        true
    }
}

impl BackboneConfig for TinyVitConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(TinyVit::new(scope, self)?))
    }

    fn dense(&self, drop_path: f32) -> Box<dyn BackboneConfig> {
        Box::new(Self { drop_path_rate: drop_path, ..self.clone() })
    }

    fn with_mlps(&self, mlps: &MlpForms) -> Option<Box<dyn BackboneConfig>> {
        Some(Box::new(Self { mlps: mlps.clone(), ..self.clone() }))
    }

    fn timm(&self) -> Box<dyn BackboneConfig> {
        Box::new(self.clone())
    }
}

/// What MobileSAM puts behind the trunk: the last map becomes the embedding that SAM's decoder takes.
#[derive(Clone, Debug)]
pub struct Neck {
    convolutions: [Conv2d; 2],
    norms: [LayerNorm; 2],
}

impl Neck {
    /// Channels of the embedding that SAM's decoder takes.
    pub const MOBILE_SAM: usize = 256;

    /// Finds or makes its variables at `neck.` of the scope; `inputs` are the channels of the last map, `outputs` those
    /// of the embedding.
    ///
    /// # Errors
    /// If variables exist with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        let scope = scope.at("neck");
        let conv = |place, inputs, kernel| {
            let config = ConvConfig { bias: false, ..ConvConfig::same(inputs, outputs, kernel) };
            Conv2d::new(&scope.at(place), config)
        };
        let norm = |place| LayerNorm::new(&scope.at(place), outputs, 1e-6);
        Ok(Self { convolutions: [conv(0, inputs, 1)?, conv(2, outputs, 3)?], norms: [norm(1)?, norm(3)?] })
    }

    /// x is `(batch, height, width, inputs)`; the result has the channels of the embedding.
    ///
    /// # Errors
    /// If x has another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (convolution, norm) in self.convolutions.iter().zip(&self.norms) {
            x = norm.forward(&convolution.forward(&x)?)?;
        }
        Ok(x)
    }
}
