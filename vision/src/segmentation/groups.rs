//! The parameter groups of a segmenter: backbone and head have their own rates, and small variables no decay.
use nerve_core::graph::{Matcher, ParamGroup};

use super::SegConfig;
use super::network::{BACKBONE, LANGUAGE};

/// Tables of positions, and tokens.
const UNDECAYED: [&str; 5] =
    ["attention_biases", "relative_position_bias_table", "pos_embed", "cls_token", "reg_token"];

/// The groups of a run; every variable belongs to one.
///
/// `projected`: the language branch began with a CLIP's own projection, which then learns as the backbone does.
pub(super) fn groups(config: &SegConfig, projected: bool) -> Vec<ParamGroup> {
    // Biases, norms, tokens and tables of positions are not pulled to zero.
    let undecayed = || {
        let ends = UNDECAYED.iter().map(|end| Matcher::Suffix((*end).into()));
        Matcher::Any(std::iter::once(Matcher::RankBelow(2)).chain(ends).collect())
    };
    let backbone = || {
        let own = Matcher::Prefix(format!("{BACKBONE}."));
        match projected {
            true => Matcher::Any(vec![own, Matcher::Prefix(format!("{LANGUAGE}.projection."))]),
            false => own,
        }
    };
    let group =
        |name: &str, matcher, lr, decay| ParamGroup { name: name.into(), matcher, lr, decay, frozen: false };
    let train = &config.train;
    let mut groups = if config.model.freeze_backbone {
        vec![ParamGroup { frozen: true, ..group("backbone", backbone(), 0.0, 0.0) }]
    } else {
        vec![
            group("backbone, no decay", Matcher::Every(vec![backbone(), undecayed()]), train.lr, 0.0),
            group("backbone", backbone(), train.lr, train.weight_decay),
        ]
    };
    groups.push(group("head, no decay", undecayed(), train.head_lr, 0.0));
    groups.push(group("head", Matcher::All, train.head_lr, train.weight_decay));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backbone_and_head_have_their_rates_and_small_variables_no_decay() {
        let mut config = SegConfig::default();
        (config.train.lr, config.train.head_lr, config.train.weight_decay) = (1.0, 2.0, 3.0);
        let groups = groups(&config, false);
        for (key, shape, lr, decay) in [
            ("backbone.blocks.0.attn.qkv.weight", &[9, 3][..], 1.0, 3.0),
            ("backbone.blocks.0.attn.qkv.bias", &[9], 1.0, 0.0),
            ("backbone.pos_embed", &[1, 5, 3], 1.0, 0.0),
            ("backbone.layers.0.blocks.0.attn.relative_position_bias_table", &[9, 3], 1.0, 0.0),
            ("head.classifier.weight", &[2, 3, 1, 1], 2.0, 3.0),
            ("head.batch_norm.weight", &[3], 2.0, 0.0),
        ] {
            let group = ParamGroup::of(&groups, key, shape).expect("a group");
            assert_eq!((group.lr, group.decay), (lr, decay), "{key} in {}", group.name);
        }
    }
}
