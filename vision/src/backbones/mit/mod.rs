//! Mix Transformer, SegFormer's encoder (Xie et al. 2021, "SegFormer: Simple and Efficient Design for Semantic
//! Segmentation with Transformers").
//!
//! Four stages at strides 4, 8, 16 and 32. Each begins with an overlapping patch embedding (a strided convolution) and
//! has no position embedding: a depthwise convolution inside the MLP tells positions apart, so that any input size will
//! do. Keys are those of Hugging Face's checkpoints (`nvidia/mit-b0` to `-b5`) below `segformer.`; see [`MitKeys`].
mod block;
mod config;
mod keys;

use nerve_core::graph::{Result, Scope, Tensor};
use nerve_core::layers::{Conv2d, ConvConfig, LayerNorm};

use super::{Backbone, BackboneConfig, Branch, Features, Level, MlpForms, Pass};
use crate::load::{Keys, WeightSource};
use block::Block;
pub use config::MitConfig;
pub use keys::MitKeys;
pub(crate) use keys::published;

/// Hugging Face's models have PyTorch's default in all norms, whatever their configuration says.
const EPS: f64 = 1e-5;

/// The encoder: an image becomes one map a stage.
#[derive(Clone, Debug)]
pub struct Mit {
    stages: Vec<Stage>,
    levels: Vec<Level>,
}

#[derive(Clone, Debug)]
struct Stage {
    projection: Conv2d,
    embedded: LayerNorm,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Mit {
    /// Finds or makes its variables at `encoder.` of the scope.
    ///
    /// # Errors
    /// If the configuration is contradictory ([`MitConfig::check`]), or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &MitConfig) -> Result<Self> {
        config.check()?;
        let scope = scope.at("encoder");
        let rates = config.drop_rates();
        let mut stages = Vec::new();
        let (mut inputs, mut index) = (config.num_channels, 0);
        for stage in 0..config.depths.len() {
            let (channels, patch, stride) =
                (config.hidden_sizes[stage], config.patch_sizes[stage], config.strides[stage]);
            let embeddings = scope.at("patch_embeddings").at(stage);
            let projection = ConvConfig { stride: [stride; 2], ..ConvConfig::same(inputs, channels, patch) };
            let mut blocks = Vec::new();
            for block in 0..config.depths[stage] {
                let at = scope.at("block").at(stage).at(block);
                blocks.push(Block::new(&at, config, stage, rates[index], index)?);
                index += 1;
            }
            stages.push(Stage {
                projection: Conv2d::new(&embeddings.at("proj"), projection)?,
                embedded: LayerNorm::new(&embeddings.at("layer_norm"), channels, EPS)?,
                blocks,
                norm: LayerNorm::new(&scope.at("layer_norm").at(stage), channels, EPS)?,
            });
            inputs = channels;
        }
        let levels = config.levels();
        Ok(Self { stages, levels })
    }
}

impl Backbone for Mit {
    fn levels(&self) -> Vec<Level> {
        self.levels.clone()
    }

    fn branches(&self) -> Vec<Branch> {
        self.stages.iter().flat_map(|stage| &stage.blocks).flat_map(|block| block.branches).collect()
    }

    /// Sizes are rounded up. The smallest image has 29 pixels a side with the published configurations: the reduction of
    /// keys needs as many cells as its kernel has.
    fn features(&self, images: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let mut maps: Vec<Tensor> = Vec::new();
        for stage in &self.stages {
            let x = stage.projection.forward(maps.last().unwrap_or(images))?;
            let mut x = stage.embedded.forward(&x)?;
            for block in &stage.blocks {
                x = block.forward(&x, pass)?;
            }
            maps.push(stage.norm.forward(&x)?);
        }
        Ok(Features { maps, global: None, last: None })
    }

    fn keys(&self, _: &WeightSource, _: &str) -> Box<dyn Keys> {
        Box::new(MitKeys)
    }
}

impl BackboneConfig for MitConfig {
    fn build(&self, scope: &Scope) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(Mit::new(scope, self)?))
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
