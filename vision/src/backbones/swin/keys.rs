//! Keys of published Swin transformers.
use crate::backbones::grid::{Resampling, square};
use crate::load::{Destination, Keys, WeightSource, renamed};

use super::{SwinConfig, SwinForm};

/// How a file names what a Swin transformer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// timm's, which are ours.
    Timm,
    /// The same with the merging counted to the stage before: the authors' files, and timm's before 2023.
    Authors,
    /// Hugging Face's.
    HuggingFace,
}

/// Translates the keys of a file; see [`SwinKeys::of`].
#[derive(Clone, Copy, Debug)]
pub struct SwinKeys {
    style: Style,
    form: SwinForm,
}

/// Hugging Face's names within a block, those of published files and those of its present program.
const BLOCK: [(&str, &str); 10] = [
    ("attention.self.relative_position_bias_table", "attn.relative_position_bias_table"),
    ("attention.relative_position_bias.relative_position_bias_table", "attn.relative_position_bias_table"),
    ("attention.output.dense", "attn.proj"),
    ("attention.o_proj", "attn.proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("patch_embeddings.projection", "proj"),
    ("layernorm", "norm"),
];

/// And those of what is one in ours.
const QKV: [(&str, usize); 6] = [
    ("attention.self.query", 0),
    ("attention.self.key", 1),
    ("attention.self.value", 2),
    ("attention.q_proj", 0),
    ("attention.k_proj", 1),
    ("attention.v_proj", 2),
];

impl SwinKeys {
    /// For the style of this file (whose keys of the transformer begin with `prefix`) and a model of this configuration.
    #[must_use]
    pub fn of(source: &WeightSource, prefix: &str, config: &SwinConfig) -> Self {
        let is = |key: &str| source.shape(&format!("{prefix}{key}")).is_some();
        let style = if source.shapes().any(|(name, _)| name.contains("patch_embeddings.projection")) {
            Style::HuggingFace
        } else if is("layers.0.downsample.reduction.weight") {
            Style::Authors
        } else {
            Style::Timm
        };
        Self { style, form: config.form }
    }

    fn hugging_face(name: &str) -> Destination {
        let name = name.strip_prefix("swin.").unwrap_or(name);
        for (part, number) in QKV {
            let key = renamed(name, &[(part, "attn.qkv")]);
            if key != name {
                let key = key.replacen("encoder.", "", 1);
                return Destination::Part { key, part: number, parts: 3 };
            }
        }
        let mut key = renamed(name, &BLOCK);
        if let Some(rest) = key.strip_prefix("embeddings.") {
            key = format!("patch_embed.{rest}");
        } else if let Some(rest) = key.strip_prefix("encoder.") {
            key = next_stage(rest);
        } else if let Some(rest) = key.strip_prefix("hidden_states_norms.stage") {
            let (stage, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let Some(stage) = stage.parse::<usize>().ok().and_then(|stage| stage.checked_sub(1)) else {
                return Destination::Unknown;
            };
            key = format!("norm{stage}.{rest}");
        }
        Destination::Variable(key)
    }
}

/// The merging counted to the stage that it leads to.
fn next_stage(key: &str) -> String {
    let parts: Vec<&str> = key.splitn(4, '.').collect();
    match parts[..] {
        ["layers", stage, "downsample", rest] => match stage.parse::<usize>() {
            Ok(stage) => format!("layers.{}.downsample.{rest}", stage + 1),
            Err(_) => key.to_owned(),
        },
        _ => key.to_owned(),
    }
}

impl Keys for SwinKeys {
    fn destination(&self, name: &str) -> Destination {
        let known = ["relative_position_index", "attn_mask", "mask_token"];
        if known.iter().any(|known| name.ends_with(known)) {
            return Destination::Ignored;
        }
        // What follows the backbone in a classifier.
        if ["head.", "classifier.", "pooler.", "decoder."].iter().any(|head| name.starts_with(head)) {
            return Destination::Ignored;
        }
        let place = match self.style {
            Style::Timm => Destination::Variable(name.to_owned()),
            Style::Authors => Destination::Variable(next_stage(name)),
            Style::HuggingFace => Self::hugging_face(name),
        };
        match &place {
            // The norm of the other forms.
            Destination::Variable(key) if self.form == SwinForm::Dense && key.starts_with("norm.") => {
                Destination::Ignored
            }
            _ => place,
        }
    }

    /// Tables of relative positions to another window, as in the authors' code.
    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let ([old, heads], [new, same]) = (from, to) else { return None };
        if !key.ends_with("relative_position_bias_table") || heads != same {
            return None;
        }
        let (old, new) = (square(*old)?, square(*new)?);
        Some(Resampling::Bicubic.resize_values(values, [old; 2], [new; 2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(style: Style, name: &str) -> Destination {
        SwinKeys { style, form: SwinForm::Classifier }.destination(name)
    }

    #[test]
    fn styles_lead_to_the_same_keys() {
        for (key, authors, others) in [
            (
                "layers.2.downsample.norm.bias",
                "layers.1.downsample.norm.bias",
                ["encoder.layers.1.downsample.norm.bias", "swin.encoder.layers.1.downsample.norm.bias"],
            ),
            (
                "layers.3.blocks.1.attn.proj.weight",
                "layers.3.blocks.1.attn.proj.weight",
                [
                    "swin.encoder.layers.3.blocks.1.attention.output.dense.weight",
                    "encoder.layers.3.blocks.1.attention.o_proj.weight",
                ],
            ),
            (
                "layers.0.blocks.1.attn.relative_position_bias_table",
                "layers.0.blocks.1.attn.relative_position_bias_table",
                [
                    "encoder.layers.0.blocks.1.attention.self.relative_position_bias_table",
                    "encoder.layers.0.blocks.1.attention.relative_position_bias.relative_position_bias_table",
                ],
            ),
            (
                "layers.0.blocks.1.mlp.fc2.bias",
                "layers.0.blocks.1.mlp.fc2.bias",
                ["encoder.layers.0.blocks.1.output.dense.bias", "encoder.layers.0.blocks.1.mlp.fc2.bias"],
            ),
            ("norm.bias", "norm.bias", ["layernorm.bias", "swin.layernorm.bias"]),
        ] {
            let wanted = Destination::Variable(key.to_owned());
            assert_eq!(place(Style::Timm, key), wanted);
            assert_eq!(place(Style::Authors, authors), wanted);
            for name in others {
                assert_eq!(place(Style::HuggingFace, name), wanted, "{name}");
            }
        }
        for name in ["attention.self.key.bias", "attention.k_proj.bias"] {
            let wanted =
                Destination::Part { key: "layers.0.blocks.1.attn.qkv.bias".into(), part: 1, parts: 3 };
            assert_eq!(place(Style::HuggingFace, &format!("encoder.layers.0.blocks.1.{name}")), wanted);
        }
        for name in ["layers.0.blocks.1.attn_mask", "head.fc.bias", "layers.1.attn.relative_position_index"] {
            assert_eq!(place(Style::Authors, name), Destination::Ignored, "{name}");
        }
        assert_eq!(place(Style::HuggingFace, "hidden_states_norms.stage0.bias"), Destination::Unknown);
    }

    #[test]
    fn tables_are_resized_to_another_window() {
        let keys = SwinKeys { style: Style::Timm, form: SwinForm::Timm };
        // Two heads, constant each: that is kept.
        let table: Vec<f32> = (0..9 * 2).map(|i| if i % 2 == 0 { 1.5 } else { -2.0 }).collect();
        let key = "layers.0.blocks.0.attn.relative_position_bias_table";
        let resized = keys.resize(key, &table, &[9, 2], &[25, 2]).expect("a table");
        assert_eq!(resized.len(), 50);
        assert!(resized.chunks_exact(2).all(|c| (c[0] - 1.5).abs() < 1e-6 && (c[1] + 2.0).abs() < 1e-6));
        assert!(keys.resize(key, &table, &[9, 2], &[25, 3]).is_none());
        assert!(keys.resize("norm.bias", &table, &[9, 2], &[25, 2]).is_none());
    }
}
