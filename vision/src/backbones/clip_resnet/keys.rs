//! Keys of CLIP's ResNets: OpenAI's and open_clip's (`visual.layer1.0.conv1.weight`), of a whole CLIP or without
//! `visual.`, and timm's (`stages.0.0.conv1_1x1.conv.weight`).
use crate::load::{Destination, Keys, renamed};

/// Translates the keys of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClipResNetKeys;

/// timm's names of the parts of a bottleneck.
const TIMM: [(&str, &str); 8] = [
    ("conv1_1x1.conv", "conv1"),
    ("conv1_1x1.bn", "bn1"),
    ("conv2_kxk.conv", "conv2"),
    ("conv2_kxk.bn", "bn2"),
    ("conv3_1x1.conv", "conv3"),
    ("conv3_1x1.bn", "bn3"),
    ("shortcut.conv.conv", "downsample.0"),
    ("shortcut.conv.bn", "downsample.1"),
];

const TIMM_STEM: [(&str, &str); 6] = [
    ("stem.conv1.conv", "conv1"),
    ("stem.conv1.bn", "bn1"),
    ("stem.conv2.conv", "conv2"),
    ("stem.conv2.bn", "bn2"),
    ("stem.conv3.conv", "conv3"),
    ("stem.conv3.bn", "bn3"),
];

impl Keys for ClipResNetKeys {
    fn destination(&self, name: &str) -> Destination {
        // Counters, the attention pool, and what a whole CLIP has beside its image encoder.
        let others =
            ["transformer.", "text", "token_embedding.", "positional_embedding", "ln_final.", "logit_scale"];
        let bare = name.strip_prefix("visual.").unwrap_or(name);
        if bare.ends_with("num_batches_tracked")
            || bare.starts_with("attnpool.")
            || bare.starts_with("head.")
            || others.iter().any(|other| name.starts_with(other))
        {
            return Destination::Ignored;
        }
        if let Some(rest) = bare.strip_prefix("stages.")
            && let Some((stage, rest)) = rest.split_once('.')
            && let Ok(stage) = stage.parse::<usize>()
        {
            return Destination::Variable(format!(
                "layer{}.{}",
                stage.saturating_add(1),
                renamed(rest, &TIMM)
            ));
        }
        Destination::Variable(renamed(bare, &TIMM_STEM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_lead_to_the_same_keys() {
        for (openai, timm, key) in [
            ("visual.conv2.weight", "stem.conv2.conv.weight", "conv2.weight"),
            ("visual.bn3.running_var", "stem.conv3.bn.running_var", "bn3.running_var"),
            ("visual.layer1.0.conv1.weight", "stages.0.0.conv1_1x1.conv.weight", "layer1.0.conv1.weight"),
            ("visual.layer4.2.bn2.bias", "stages.3.2.conv2_kxk.bn.bias", "layer4.2.bn2.bias"),
            (
                "visual.layer2.0.downsample.0.weight",
                "stages.1.0.shortcut.conv.conv.weight",
                "layer2.0.downsample.0.weight",
            ),
            (
                "visual.layer2.0.downsample.1.weight",
                "stages.1.0.shortcut.conv.bn.weight",
                "layer2.0.downsample.1.weight",
            ),
        ] {
            let wanted = Destination::Variable(key.to_owned());
            assert_eq!(ClipResNetKeys.destination(openai), wanted, "{openai}");
            assert_eq!(ClipResNetKeys.destination(timm), wanted, "{timm}");
        }
        for name in [
            "visual.attnpool.q_proj.bias",
            "head.proj.bias",
            "visual.bn1.num_batches_tracked",
            "text_projection",
        ] {
            assert_eq!(ClipResNetKeys.destination(name), Destination::Ignored, "{name}");
        }
    }
}
