//! Where the arrays of published files belong.
use crate::load::{Destination, Keys, renamed};

/// Keys of published encoders (`nvidia/mit-b0`) and of segmenters with one, for a [`super::Mit`] alone. Heads that were
/// trained with it are not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MitKeys;

impl Keys for MitKeys {
    fn destination(&self, name: &str) -> Destination {
        if name.starts_with("classifier.") || name.starts_with("decode_head.") {
            return Destination::Ignored;
        }
        let name = published(name.strip_prefix("segformer.").unwrap_or(name));
        if name.starts_with("encoder.") { Destination::Variable(name) } else { Destination::Unknown }
    }
}

/// Names within a stage in Hugging Face's present program, and those that its published files have.
const PARTS: [(&str, &str); 10] = [
    ("attention.q_proj", "attention.self.query"),
    ("attention.k_proj", "attention.self.key"),
    ("attention.v_proj", "attention.self.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("attention.sequence_reduction.sequence_reduction", "attention.self.sr"),
    ("attention.sequence_reduction.layer_norm", "attention.self.layer_norm"),
    ("layernorm_before", "layer_norm_1"),
    ("layernorm_after", "layer_norm_2"),
    ("mlp.fc1", "mlp.dense1"),
    ("mlp.fc2", "mlp.dense2"),
];

/// The key that published files have, of one that Hugging Face's program has in memory; others stay as they are.
pub(crate) fn published(key: &str) -> String {
    let stage = || {
        let (stage, rest) = key.strip_prefix("stages.")?.split_once('.')?;
        let (part, rest) = rest.split_once('.')?;
        let part = if part == "blocks" { "block" } else { part };
        Some(renamed(&format!("encoder.{part}.{stage}.{rest}"), &PARTS))
    };
    stage().unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_encoders_and_of_segmenters_are_known() {
        let known = [
            ("encoder.block.0.1.attention.self.sr.weight", "encoder.block.0.1.attention.self.sr.weight"),
            ("segformer.encoder.layer_norm.3.bias", "encoder.layer_norm.3.bias"),
            ("segformer.stages.0.patch_embeddings.proj.bias", "encoder.patch_embeddings.0.proj.bias"),
            ("stages.2.layer_norm.weight", "encoder.layer_norm.2.weight"),
            (
                "stages.1.blocks.3.attention.sequence_reduction.layer_norm.bias",
                "encoder.block.1.3.attention.self.layer_norm.bias",
            ),
            ("stages.1.blocks.3.layernorm_after.bias", "encoder.block.1.3.layer_norm_2.bias"),
            ("stages.1.blocks.3.mlp.dwconv.dwconv.bias", "encoder.block.1.3.mlp.dwconv.dwconv.bias"),
        ];
        for (name, key) in known {
            assert_eq!(MitKeys.destination(name), Destination::Variable(key.to_owned()), "{name}");
        }
        for name in ["classifier.bias", "decode_head.batch_norm.num_batches_tracked"] {
            assert_eq!(MitKeys.destination(name), Destination::Ignored, "{name}");
        }
        assert_eq!(MitKeys.destination("pooler.weight"), Destination::Unknown);
    }
}
