//! Keys of published vision transformers.
use crate::backbones::grid::square;
use crate::load::{Destination, Keys, WeightSource, renamed};

use super::{VitConfig, clip_keys};

/// Translates the keys of a file; see [`VitKeys::of`].
#[derive(Clone, Debug)]
pub struct VitKeys {
    style: Style,
    config: VitConfig,
}

/// Whose names a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// timm's, DINOv2's.
    Plain,
    HuggingFace,
    /// A whole CLIP, or its image encoder.
    Clip,
}

/// Hugging Face's names, those of published files and those of its present program.
const NAMES: [(&str, &str); 18] = [
    ("attention.output.dense", "attn.proj"),
    ("attention.o_proj", "attn.proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    // Within a block of DINOv2, which has the names that are ours.
    ("norm1", "norm1"),
    ("norm2", "norm2"),
    ("mlp.fc1", "mlp.fc1"),
    ("mlp.fc2", "mlp.fc2"),
    // Last, after `layernorm_before`.
    ("layernorm", "norm"),
    ("register_tokens", "reg_token"),
];

const QKV: [(&str, usize); 6] = [
    ("attention.attention.query", 0),
    ("attention.attention.key", 1),
    ("attention.attention.value", 2),
    ("attention.q_proj", 0),
    ("attention.k_proj", 1),
    ("attention.v_proj", 2),
];

impl VitKeys {
    /// For the style of this file and a model of this configuration.
    #[must_use]
    pub fn of(source: &WeightSource, config: &VitConfig) -> Self {
        let has = |part: &str| source.shapes().any(|(name, _)| name.contains(part));
        let style = if clip_keys::are(source) {
            Style::Clip
        } else if has("patch_embeddings.projection") {
            Style::HuggingFace
        } else {
            Style::Plain
        };
        Self { style, config: config.clone() }
    }
}

/// Blocks under the name that is ours.
fn blocks(key: &str) -> String {
    renamed(key, &[("encoder.layer", "blocks"), ("encoder.layers", "blocks"), ("layers", "blocks")])
}

impl Keys for VitKeys {
    fn destination(&self, name: &str) -> Destination {
        if self.style == Style::Clip {
            return clip_keys::destination(name);
        }
        if name.ends_with("mask_token") {
            return Destination::Ignored;
        }
        // What follows the backbone in a classifier.
        let heads = ["head.", "head_dist.", "fc_norm.", "pre_logits.", "classifier.", "pooler.", "decoder."];
        let bare = ["vit.", "dinov2.", "dinov2_with_registers.", "backbone."];
        let name = bare.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        if heads.iter().any(|head| name.starts_with(head)) {
            return Destination::Ignored;
        }
        if self.style == Style::Plain {
            // DINOv2's own name of it.
            return Destination::Variable(renamed(name, &[("register_tokens", "reg_token")]));
        }
        for (part, number) in QKV {
            let key = renamed(name, &[(part, "attn.qkv")]);
            if key != name {
                return Destination::Part { key: blocks(&key), part: number, parts: 3 };
            }
        }
        Destination::Variable(blocks(&renamed(name, &NAMES)))
    }

    /// The grid of positions, as the model resamples it.
    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let ([old, dim] | [1, old, dim], [1, _, same]) = (from, to) else { return None };
        if key != "pos_embed" || dim != same {
            return None;
        }
        let placed = self.config.placed();
        let side = square(old.checked_sub(placed)?)?;
        let (prefix, grid) = values.split_at_checked(placed * dim)?;
        let grid = self.config.resampling.resize_values(grid, [side; 2], self.config.grid());
        Some([prefix, &grid].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_lead_to_the_same_keys() {
        let keys = |hugging_face| VitKeys {
            style: if hugging_face { Style::HuggingFace } else { Style::Plain },
            config: VitConfig::tiny(16),
        };
        for (name, key) in [
            ("vit.encoder.layer.3.attention.output.dense.bias", "blocks.3.attn.proj.bias"),
            ("layers.3.attention.o_proj.bias", "blocks.3.attn.proj.bias"),
            ("encoder.layer.3.output.dense.bias", "blocks.3.mlp.fc2.bias"),
            ("vit.layers.3.mlp.fc2.bias", "blocks.3.mlp.fc2.bias"),
            ("dinov2.encoder.layer.0.layer_scale2.lambda1", "blocks.0.ls2.gamma"),
            ("encoder.layer.0.norm1.bias", "blocks.0.norm1.bias"),
            ("embeddings.register_tokens", "reg_token"),
            ("dinov2.layernorm.weight", "norm.weight"),
        ] {
            assert_eq!(keys(true).destination(name), Destination::Variable(key.to_owned()), "{name}");
        }
        for name in ["attention.attention.value.weight", "attention.v_proj.weight"] {
            let wanted = Destination::Part { key: "blocks.2.attn.qkv.weight".into(), part: 2, parts: 3 };
            assert_eq!(keys(true).destination(&format!("encoder.layer.2.{name}")), wanted, "{name}");
        }
        for (name, key) in [
            ("register_tokens", "reg_token"),
            ("blocks.1.ls1.gamma", "blocks.1.ls1.gamma"),
            ("pos_embed", "pos_embed"),
        ] {
            assert_eq!(keys(false).destination(name), Destination::Variable(key.to_owned()), "{name}");
        }
        for name in ["mask_token", "head.weight", "pooler.dense.bias", "embeddings.mask_token"] {
            assert_eq!(keys(true).destination(name), Destination::Ignored, "{name}");
        }
    }
}
