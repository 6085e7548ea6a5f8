//! Keys of CLIP's text encoders in files of a whole CLIP: OpenAI's (`transformer.resblocks`), open_clip's (the same, or
//! under `text.`), and Hugging Face's (`text_model.encoder.layers`).
use crate::load::{Destination, Keys, clip};

/// Translates the keys of a file, whosever names it has; the image encoder's are left out.
#[derive(Clone, Copy, Debug)]
pub struct ClipTextKeys;

const OPENAI: [(&str, &str); 1] = [("ln_final", "norm")];

const HUGGING_FACE: [(&str, &str); 3] = [
    ("embeddings.token_embedding", "token_embedding"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "norm"),
];

impl Keys for ClipTextKeys {
    fn destination(&self, name: &str) -> Destination {
        if name == "text_projection.weight" {
            return Destination::Variable("proj.weight".into());
        }
        if let Some(name) = name.strip_prefix("text_model.") {
            return clip::hugging_face(name, &HUGGING_FACE);
        }
        let bare = name.strip_prefix("text.").unwrap_or(name);
        if bare == "text_projection" {
            return Destination::Transposed("proj.weight".into());
        }
        let parts = ["transformer.", "token_embedding.", "positional_embedding", "ln_final."];
        if !parts.iter().any(|part| bare.starts_with(part)) {
            return Destination::Ignored;
        }
        clip::openai(bare, &OPENAI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_styles_lead_to_the_same_keys() {
        for (openai, hugging_face, key) in [
            (
                "token_embedding.weight",
                "text_model.embeddings.token_embedding.weight",
                "token_embedding.weight",
            ),
            (
                "positional_embedding",
                "text_model.embeddings.position_embedding.weight",
                "positional_embedding",
            ),
            ("ln_final.bias", "text_model.final_layer_norm.bias", "norm.bias"),
            (
                "transformer.resblocks.3.attn.out_proj.bias",
                "text_model.encoder.layers.3.self_attn.out_proj.bias",
                "blocks.3.attn.proj.bias",
            ),
            (
                "transformer.resblocks.3.mlp.c_fc.bias",
                "text_model.encoder.layers.3.mlp.fc1.bias",
                "blocks.3.mlp.fc1.bias",
            ),
        ] {
            let wanted = Destination::Variable(key.to_owned());
            assert_eq!(ClipTextKeys.destination(openai), wanted, "{openai}");
            assert_eq!(ClipTextKeys.destination(&format!("text.{openai}")), wanted, "{openai}");
            assert_eq!(ClipTextKeys.destination(hugging_face), wanted, "{hugging_face}");
        }
        assert_eq!(
            ClipTextKeys.destination("text_projection"),
            Destination::Transposed("proj.weight".into())
        );
        assert_eq!(
            ClipTextKeys.destination("text_model.encoder.layers.1.self_attn.v_proj.bias"),
            Destination::Part { key: "blocks.1.attn.qkv.bias".into(), part: 2, parts: 3 }
        );
        for name in
            ["visual.proj", "logit_scale", "vision_model.post_layernorm.bias", "visual_projection.weight"]
        {
            assert_eq!(ClipTextKeys.destination(name), Destination::Ignored, "{name}");
        }
    }
}
