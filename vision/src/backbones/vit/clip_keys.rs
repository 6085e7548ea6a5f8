//! Keys of CLIP's image transformers, in files of a whole CLIP or of the image encoder alone: OpenAI's and open_clip's
//! (`visual.transformer.resblocks`), and Hugging Face's (`vision_model`).
use crate::load::{Destination, WeightSource, clip};

const OPENAI: [(&str, &str); 5] = [
    ("conv1", "patch_embed.proj"),
    ("class_embedding", "cls_token"),
    ("positional_embedding", "pos_embed"),
    ("ln_pre", "norm_pre"),
    ("ln_post", "norm"),
];

const HUGGING_FACE: [(&str, &str); 5] = [
    ("embeddings.patch_embedding", "patch_embed.proj"),
    ("embeddings.class_embedding", "cls_token"),
    ("embeddings.position_embedding.weight", "pos_embed"),
    // Spelt so.
    ("pre_layrnorm", "norm_pre"),
    ("post_layernorm", "norm"),
];

/// Whether a file has such keys.
pub(super) fn are(source: &WeightSource) -> bool {
    let mut names = source.shapes().map(|(name, _)| name);
    names.any(|name| name.contains("visual.transformer.") || name.contains("vision_model.pre_layrnorm"))
}

/// Where an array belongs; the text encoder's and the projections are left out.
pub(super) fn destination(name: &str) -> Destination {
    match (name.strip_prefix("visual."), name.strip_prefix("vision_model.")) {
        (Some("proj"), _) | (None, None) => Destination::Ignored,
        (Some(name), _) => clip::openai(name, &OPENAI),
        (None, Some(name)) => clip::hugging_face(name, &HUGGING_FACE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_lead_to_the_same_keys() {
        for (openai, hugging_face, key) in [
            (
                "visual.conv1.weight",
                "vision_model.embeddings.patch_embedding.weight",
                "patch_embed.proj.weight",
            ),
            ("visual.class_embedding", "vision_model.embeddings.class_embedding", "cls_token"),
            ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight", "pos_embed"),
            ("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias", "norm_pre.bias"),
            (
                "visual.transformer.resblocks.3.mlp.c_proj.bias",
                "vision_model.encoder.layers.3.mlp.fc2.bias",
                "blocks.3.mlp.fc2.bias",
            ),
            (
                "visual.transformer.resblocks.3.ln_2.bias",
                "vision_model.encoder.layers.3.layer_norm2.bias",
                "blocks.3.norm2.bias",
            ),
            ("visual.ln_post.weight", "vision_model.post_layernorm.weight", "norm.weight"),
        ] {
            let wanted = Destination::Variable(key.to_owned());
            assert_eq!(destination(openai), wanted, "{openai}");
            assert_eq!(destination(hugging_face), wanted, "{hugging_face}");
        }
        for name in ["visual.proj", "text_projection", "transformer.resblocks.0.ln_1.bias", "logit_scale"] {
            assert_eq!(destination(name), Destination::Ignored, "{name}");
        }
    }
}
