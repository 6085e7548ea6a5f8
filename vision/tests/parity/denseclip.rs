//! The language branch against PyTorch's, which `make_denseclip.py` writes from the equations.
use std::collections::BTreeMap;

use nerve_core::graph::{Device, Mode, Tensor, Variables};
use nerve_vision::backbones::Features;
use nerve_vision::clip::{AttentionPoolConfig, ProjectionConfig};
use nerve_vision::denseclip::{DecoderSize, Language, LanguageShape, Prompting, TextShape};
use nerve_vision::text::ClipTextConfig;

use crate::common::{Cases, agree, gradients_agree_with};

const TEXTS: [&[u32]; 3] = [&[18, 3, 19], &[18, 5, 6, 0, 19], &[18, 9, 2, 19]];

fn shape(prompting: Prompting) -> LanguageShape {
    let text = ClipTextConfig {
        vocabulary: 20,
        length: 9,
        heads: 2,
        depth: 2,
        hidden: 24,
        ..ClipTextConfig::new(12, 16)
    };
    let pool = AttentionPoolConfig { channels: 12, heads: 2, embed: 16, grid: [2, 2] };
    LanguageShape {
        classes: 3,
        text: TextShape::Clip(text),
        projection: ProjectionConfig::Pool(pool),
        own_projection: false,
        prompting,
        decoder: DecoderSize { width: 16, heads: 2, layers: 2, dropout: 0.1 },
        contexts: 3,
        class_contexts: prompting == Prompting::Pre,
    }
}

#[test]
fn score_maps_and_their_gradients() {
    for (name, prompting) in [("post", Prompting::Post), ("pre", Prompting::Pre)] {
        let mut cases = Cases::open("denseclip.safetensors");
        let variables = Variables::unset();
        let language = Language::new(&variables.tracked(), &shape(prompting)).expect("a branch");
        for (key, variable) in variables.all() {
            let values = if key == "tokens" {
                let row = |ids: &&[u32]| {
                    let ids = ids.iter().map(|id| *id as f32 + 1.0).chain(std::iter::repeat(0.0));
                    ids.take(6).collect::<Vec<_>>()
                };
                let tokens = TEXTS.iter().flat_map(row).collect();
                Tensor::from_vec(tokens, (3, 6), &Device::Cpu).expect("tokens")
            } else {
                cases.tensor(&format!("{name}.{key}"))
            };
            variable.var.set(&values).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        let features = Features { maps: vec![cases.tensor("map")], global: None, last: None };
        let found = language.forward(&features, Mode::Eval).expect("a score map");
        agree(&format!("{name}, scores"), &found.scores, &cases.tensor(&format!("{name}.scores")));
        agree(&format!("{name}, texts"), &found.texts, &cases.tensor(&format!("{name}.texts")));

        let prefix = format!("{name}.gradient.");
        let mut wanted = BTreeMap::new();
        for key in cases.names() {
            if let Some(bare) = key.strip_prefix(&prefix) {
                wanted.insert(bare.to_owned(), cases.tensor(&key));
            }
        }
        assert!(wanted.keys().all(|key| !key.starts_with("text.")) && wanted.contains_key("contexts"));
        let weights = cases.numbered(&format!("{name}.weight"));
        gradients_agree_with(wanted, &variables, &weights, || {
            let found = language.forward(&features, Mode::Eval)?;
            Ok(vec![found.scores, found.texts])
        });
    }
}
