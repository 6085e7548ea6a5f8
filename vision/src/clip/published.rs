//! What a file of a CLIP holds: by Hugging Face's `config.json`, or by the shapes of OpenAI's and open_clip's arrays.
use nerve_core::graph::{Result, bail};
use serde::Deserialize;

use super::{ClipConfig, ImageConfig};
use crate::activation::Activation;
use crate::backbones::clip_resnet::ClipResNetConfig;
use crate::backbones::grid::square;
use crate::backbones::vit::VitConfig;
use crate::load::WeightSource;
use crate::text::ClipTextConfig;

/// Hugging Face's `config.json` of a CLIP.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedClip {
    #[serde(default)]
    vision_config: Vision,
    #[serde(default)]
    text_config: Text,
    projection_dim: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Vision {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
}

impl Default for Vision {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Text {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl From<PublishedClip> for ClipConfig {
    fn from(p: PublishedClip) -> Self {
        let (vision, text) = (p.vision_config, p.text_config);
        let vit = VitConfig {
            channels: vision.num_channels,
            image: [vision.image_size; 2],
            patch: vision.patch_size,
            dim: vision.hidden_size,
            depth: vision.num_hidden_layers,
            heads: vision.num_attention_heads,
            hidden: vision.intermediate_size,
            ..VitConfig::base(vision.patch_size).clip()
        };
        let vit = VitConfig { activation: vision.hidden_act, eps: vision.layer_norm_eps, ..vit };
        let text = ClipTextConfig {
            vocabulary: text.vocab_size,
            length: text.max_position_embeddings,
            width: text.hidden_size,
            heads: text.num_attention_heads,
            depth: text.num_hidden_layers,
            hidden: text.intermediate_size,
            activation: text.hidden_act,
            eps: text.layer_norm_eps,
            embed: p.projection_dim.unwrap_or(512),
        };
        Self { image: ImageConfig::Vit(vit), text }
    }
}

impl ClipConfig {
    /// By the shapes of OpenAI's and open_clip's arrays: heads are of 64 channels, and the activation is `x sigmoid(1.702 x)`
    /// unless `activation` says otherwise.
    ///
    /// # Errors
    /// If arrays are missing that a CLIP has.
    pub fn of_shapes(source: &WeightSource, activation: Option<Activation>) -> Result<Self> {
        let config = Self { image: image(source)?, text: text(source)? };
        Ok(config.with_activation(activation.unwrap_or(Activation::QuickGelu)))
    }
}

/// The shape of an array that must be there with so many extents.
fn shape<const N: usize>(source: &WeightSource, name: &str) -> Result<[usize; N]> {
    match source.shape(name).map(<[usize; N]>::try_from) {
        Some(Ok(shape)) => Ok(shape),
        _ => bail!(
            "no CLIP: there is no array {name} of {N} extents; give OpenAI's, open_clip's or Hugging Face's file"
        ),
    }
}

/// How many blocks there are under `prefix`: one more than the largest number behind it.
fn blocks(source: &WeightSource, prefix: &str) -> usize {
    let number = |name: &str| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
    let last = source.shapes().filter_map(|(name, _)| number(name)).max();
    last.map_or(0, |last| last.saturating_add(1)).min(4096)
}

fn image(source: &WeightSource) -> Result<ImageConfig> {
    if source.shape("visual.layer1.0.conv1.weight").is_some() {
        let [width, ..] = shape::<4>(source, "visual.layer1.0.conv1.weight")?;
        let [embed, _] = shape(source, "visual.attnpool.c_proj.weight")?;
        let [places, _] = shape(source, "visual.attnpool.positional_embedding")?;
        let Some(side) = square(places.saturating_sub(1)) else {
            bail!("no CLIP: {places} positions of the attention pool are no square and one more");
        };
        let layers = [1, 2, 3, 4].map(|stage| blocks(source, &format!("visual.layer{stage}.")));
        return Ok(ImageConfig::ResNet(ClipResNetConfig { layers, width, image: 32 * side, embed }));
    }
    let [dim, channels, patch, _] = shape(source, "visual.conv1.weight")?;
    let [places, _] = shape(source, "visual.positional_embedding")?;
    let Some(side) = square(places.saturating_sub(1)) else {
        bail!("no CLIP: {places} positions of the image encoder are no square and one more");
    };
    let [hidden, _] = shape(source, "visual.transformer.resblocks.0.mlp.c_fc.weight")?;
    Ok(ImageConfig::Vit(VitConfig {
        channels,
        image: [side * patch; 2],
        dim,
        depth: blocks(source, "visual.transformer.resblocks."),
        heads: (dim / 64).max(1),
        hidden,
        ..VitConfig::base(patch).clip()
    }))
}

fn text(source: &WeightSource) -> Result<ClipTextConfig> {
    let prefix = if source.shape("text.token_embedding.weight").is_some() { "text." } else { "" };
    let at = |name: &str| format!("{prefix}{name}");
    let [vocabulary, width] = shape(source, &at("token_embedding.weight"))?;
    let [length, _] = shape(source, &at("positional_embedding"))?;
    let [_, embed] = shape(source, &at("text_projection"))?;
    let [hidden, _] = shape(source, &at("transformer.resblocks.0.mlp.c_fc.weight"))?;
    let depth = blocks(source, &at("transformer.resblocks."));
    Ok(ClipTextConfig { vocabulary, length, depth, hidden, ..ClipTextConfig::new(width, embed) })
}
