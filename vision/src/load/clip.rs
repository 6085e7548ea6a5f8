//! Keys of CLIP's transformers, which images' and texts' have in common: OpenAI's and open_clip's
//! (`transformer.resblocks.0.mlp.c_fc`), and Hugging Face's (`encoder.layers.0.self_attn.q_proj`).
use super::{Destination, renamed};

const OPENAI: [(&str, &str); 7] = [
    ("attn.in_proj_weight", "attn.qkv.weight"),
    ("attn.in_proj_bias", "attn.qkv.bias"),
    ("attn.out_proj", "attn.proj"),
    ("ln_1", "norm1"),
    ("ln_2", "norm2"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
];

const HUGGING_FACE: [(&str, &str); 3] =
    [("self_attn.out_proj", "attn.proj"), ("layer_norm1", "norm1"), ("layer_norm2", "norm2")];

/// Where an array of an encoder belongs, by OpenAI's names; `others` are those beside the blocks'.
pub(crate) fn openai(name: &str, others: &[(&str, &str)]) -> Destination {
    let key = renamed(&renamed(name, &OPENAI), others);
    Destination::Variable(renamed(&key, &[("transformer.resblocks", "blocks")]))
}

/// The same by Hugging Face's names, in which queries, keys and values stand apart.
pub(crate) fn hugging_face(name: &str, others: &[(&str, &str)]) -> Destination {
    if name.ends_with("position_ids") {
        return Destination::Ignored;
    }
    let blocks = |key: &str| renamed(key, &[("encoder.layers", "blocks")]);
    for (number, part) in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].into_iter().enumerate()
    {
        let key = renamed(name, &[(part, "attn.qkv")]);
        if key != name {
            return Destination::Part { key: blocks(&key), part: number, parts: 3 };
        }
    }
    Destination::Variable(blocks(&renamed(&renamed(name, &HUGGING_FACE), others)))
}
