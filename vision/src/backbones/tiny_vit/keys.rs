//! Where the arrays of published files belong.
use crate::load::{Destination, Keys};

/// Keys of MobileSAM's checkpoint, of its encoder alone, and of timm's `tiny_vit_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TinyVitKeys {
    /// Whether the model has the neck; else its weights are not needed.
    pub neck: bool,
}

impl Keys for TinyVitKeys {
    fn destination(&self, name: &str) -> Destination {
        // The other parts of Segment Anything.
        if name.starts_with("prompt_encoder.") || name.starts_with("mask_decoder.") {
            return Destination::Ignored;
        }
        let name = name.strip_prefix("image_encoder.").unwrap_or(name);
        // Classifiers, which MobileSAM's checkpoint still has, and counters.
        if name.starts_with("head.")
            || name.starts_with("norm_head.")
            || name.ends_with("num_batches_tracked")
        {
            return Destination::Ignored;
        }
        if name.starts_with("neck.") && !self.neck {
            return Destination::Ignored;
        }
        let published = ["patch_embed.seq.", "layers.", "neck."];
        if published.iter().any(|part| name.starts_with(part)) {
            return Destination::Variable(name.to_owned());
        }
        from_timm(name).map_or(Destination::Unknown, Destination::Variable)
    }
}

/// The published key of timm's: it names pairs of convolution and norm `conv` and `bn`, counts a merging to the stage
/// behind it, and numbers the two convolutions of the embedding by themselves.
fn from_timm(key: &str) -> Option<String> {
    let key = match key.strip_suffix(".conv.weight") {
        Some(rest) => format!("{rest}.c.weight"),
        None => key.to_owned(),
    };
    if let Some(rest) = key.strip_prefix("patch_embed.conv") {
        let (number, rest) = rest.split_once('.')?;
        let place = match number {
            "1" => 0,
            "2" => 2,
            _ => return None,
        };
        return Some(format!("patch_embed.seq.{place}.{rest}"));
    }
    let (stage, rest) = key.strip_prefix("stages.")?.split_once('.')?;
    let stage: usize = stage.parse().ok()?;
    let layer = if rest.starts_with("downsample.") { stage.checked_sub(1)? } else { stage };
    Some(format!("layers.{layer}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_translated() {
        let cases = [
            ("patch_embed.conv1.conv.weight", Some("patch_embed.seq.0.c.weight")),
            ("patch_embed.conv2.bn.running_var", Some("patch_embed.seq.2.bn.running_var")),
            ("stages.0.blocks.1.conv3.conv.weight", Some("layers.0.blocks.1.conv3.c.weight")),
            ("stages.2.downsample.conv2.bn.bias", Some("layers.1.downsample.conv2.bn.bias")),
            ("stages.2.blocks.5.attn.attention_biases", Some("layers.2.blocks.5.attn.attention_biases")),
            ("stages.3.blocks.0.local_conv.conv.weight", Some("layers.3.blocks.0.local_conv.c.weight")),
            ("image_encoder.layers.1.downsample.conv1.c.weight", Some("layers.1.downsample.conv1.c.weight")),
            ("image_encoder.neck.0.weight", Some("neck.0.weight")),
        ];
        for (name, here) in cases {
            let want = here.map_or(Destination::Unknown, |key| Destination::Variable(key.to_owned()));
            assert_eq!(TinyVitKeys { neck: true }.destination(name), want, "{name}");
        }
        for name in ["patch_embed.conv3.bn.bias", "stages.0.downsample.conv1.bn.bias", "stages.x.y", "other"]
        {
            assert_eq!(TinyVitKeys { neck: true }.destination(name), Destination::Unknown, "{name}");
        }
        let ignored = [
            "head.fc.bias",
            "image_encoder.norm_head.weight",
            "mask_decoder.iou_token.weight",
            "stages.1.blocks.0.local_conv.bn.num_batches_tracked",
            "neck.1.bias",
        ];
        for name in ignored {
            assert_eq!(TinyVitKeys { neck: false }.destination(name), Destination::Ignored, "{name}");
        }
    }
}
