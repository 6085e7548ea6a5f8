//! What methods with task streams share: which layers are in the last block of a stage, and what they train beside them.
use std::collections::BTreeMap;

use nerve_core::graph::{Result, bail};

use super::Site;
use crate::backbones::StreamLayer;

/// The last blocks of a backbone's stages, by what their keys begin with.
#[derive(Debug)]
pub(super) struct Ends(BTreeMap<String, u32>);

/// Those of this site's backbone.
///
/// # Errors
/// If the backbone cannot have streams.
pub(super) fn ends(site: &Site<'_>) -> Result<Ends> {
    let ends = site.backbone.last_blocks();
    if ends.is_empty() {
        bail!("this backbone has no task streams; Swin and TinyViT have");
    }
    let prefix = super::BACKBONE;
    Ok(Ends(ends.into_iter().map(|(key, block)| (format!("{prefix}.{key}."), block)).collect()))
}

impl Ends {
    /// Whether a key is of a linear layer of a block: queries, keys and values, projection, MLP.
    pub(super) fn is_adapted(&self, key: &str) -> bool {
        ["attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight"]
            .iter()
            .any(|end| key.ends_with(end))
    }

    /// The block and layer of a key that streams differ in.
    pub(super) fn last_layer(&self, key: &str) -> Option<(u32, StreamLayer)> {
        let (rest, block) =
            self.0.iter().find_map(|(prefix, block)| Some((key.strip_prefix(prefix)?, *block)))?;
        let layer = match rest {
            "attn.proj.weight" => StreamLayer::Projection,
            "mlp.fc1.weight" => StreamLayer::First,
            "mlp.fc2.weight" => StreamLayer::Second,
            _ => return None,
        };
        Some((block, layer))
    }
}

/// Whether MTLoRA and what followed it train a weight as it is: patch embedding, norms, tables of relative positions, what
/// merges patches.
pub(super) fn is_unfrozen(key: &str) -> bool {
    let norm = [".norm.weight", ".norm.bias", ".norm1.weight", ".norm1.bias", ".norm2.weight", ".norm2.bias"];
    key.contains(".patch_embed.")
        || key.contains(".downsample.")
        || super::relative_bias::is_table(key)
        || norm.iter().any(|end| key.ends_with(end))
}
