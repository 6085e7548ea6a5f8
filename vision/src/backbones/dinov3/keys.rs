//! Keys of DINOv3's files: timm's, Hugging Face's (with `model.` before them, too) and the authors'.
use crate::load::{Destination, Keys, renamed};

/// Translates the keys of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct DinoV3Keys;

const NAMES: [(&str, &str); 16] = [
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("storage_tokens", "reg_token"),
    ("embeddings.patch_embeddings", "patch_embed.proj"),
    ("attention.o_proj", "attn.proj"),
    ("attention.q_proj.bias", "attn.q_bias"),
    ("attention.v_proj.bias", "attn.v_bias"),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("gamma_1", "ls1.gamma"),
    ("gamma_2", "ls2.gamma"),
    ("mlp.gate_proj", "mlp.gate"),
    // The linear half of a gated MLP.
    ("mlp.up_proj", "mlp.fc1"),
    ("mlp.down_proj", "mlp.fc2"),
    ("mlp.fc1_g", "mlp.gate"),
    ("mlp.fc1_x", "mlp.fc1"),
];

const AUTHORS: [(&str, &str); 3] = [("mlp.w1", "mlp.gate"), ("mlp.w2", "mlp.fc1"), ("mlp.w3", "mlp.fc2")];

impl Keys for DinoV3Keys {
    fn destination(&self, name: &str) -> Destination {
        let name = name.strip_prefix("model.").unwrap_or(name);
        let ignored = ["head.", "local_cls_norm.", "rope_embed.", "fc_norm."];
        if name.ends_with("mask_token")
            || name.ends_with("bias_mask")
            || ignored.iter().any(|i| name.starts_with(i))
        {
            return Destination::Ignored;
        }
        let name = match name.strip_prefix("layer.") {
            Some(rest) => format!("blocks.{rest}"),
            None => name.to_owned(),
        };
        for (number, part) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
            if let Some(start) = name.strip_suffix(&format!(".attention.{part}.weight")) {
                return Destination::Part { key: format!("{start}.attn.qkv.weight"), part: number, parts: 3 };
            }
        }
        // Whatever stands in the keys' third, no program of the authors' uses it.
        if let Some(start) = name.strip_suffix(".attn.qkv.bias") {
            let key = |part: &str| Some(format!("{start}.attn.{part}"));
            return Destination::Split(vec![key("q_bias"), None, key("v_bias")]);
        }
        Destination::Variable(renamed(&renamed(&name, &NAMES), &AUTHORS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_styles_lead_to_the_same_keys() {
        for (authors, hugging_face, timm, key) in [
            ("storage_tokens", "embeddings.register_tokens", "reg_token", "reg_token"),
            (
                "patch_embed.proj.bias",
                "embeddings.patch_embeddings.bias",
                "patch_embed.proj.bias",
                "patch_embed.proj.bias",
            ),
            ("blocks.3.ls1.gamma", "layer.3.layer_scale1.lambda1", "blocks.3.gamma_1", "blocks.3.ls1.gamma"),
            (
                "blocks.3.mlp.w1.bias",
                "layer.3.mlp.gate_proj.bias",
                "blocks.3.mlp.fc1_g.bias",
                "blocks.3.mlp.gate.bias",
            ),
            (
                "blocks.3.mlp.w2.bias",
                "layer.3.mlp.up_proj.bias",
                "blocks.3.mlp.fc1_x.bias",
                "blocks.3.mlp.fc1.bias",
            ),
            (
                "blocks.3.mlp.fc2.bias",
                "layer.3.mlp.down_proj.bias",
                "blocks.3.mlp.fc2.bias",
                "blocks.3.mlp.fc2.bias",
            ),
            ("norm.weight", "norm.weight", "norm.weight", "norm.weight"),
        ] {
            let wanted = Destination::Variable(key.to_owned());
            for name in [authors, hugging_face, timm, &format!("model.{hugging_face}")] {
                assert_eq!(DinoV3Keys.destination(name), wanted, "{name}");
            }
        }
        assert_eq!(
            DinoV3Keys.destination("model.layer.2.attention.v_proj.weight"),
            Destination::Part { key: "blocks.2.attn.qkv.weight".into(), part: 2, parts: 3 }
        );
        let [q, v] = ["q", "v"].map(|part| Some(format!("blocks.2.attn.{part}_bias")));
        assert_eq!(DinoV3Keys.destination("blocks.2.attn.qkv.bias"), Destination::Split(vec![q, None, v]));
        for name in ["mask_token", "rope_embed.periods", "blocks.0.attn.qkv.bias_mask", "local_cls_norm.bias"]
        {
            assert_eq!(DinoV3Keys.destination(name), Destination::Ignored, "{name}");
        }
    }
}
