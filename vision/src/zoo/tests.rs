use std::collections::BTreeSet;

use super::*;

/// Published numbers of parameters in millions, without classifiers; segmenters without auxiliary heads.
const PUBLISHED: [(&str, f64); 12] = [
    ("swin-tiny", 27.52),
    ("swin-base-384", 86.88),
    ("vit-tiny", 5.52),
    ("vit-large", 303.30),
    ("dinov2-small", 22.06),
    ("dinov2-large-registers", 304.37),
    ("mit-b0", 3.32),
    ("mit-b5", 81.44),
    ("tinyvit-5m", 5.07),
    ("segformer-b0", 3.75),
    ("segformer-b5", 84.59),
    ("upernet-swin-tiny", 58.94),
];

#[test]
fn all_can_be_built_and_have_the_published_size() {
    let names: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ENTRIES.len());
    for (name, _) in PUBLISHED {
        assert!(names.contains(name), "{name}");
    }
    for entry in ENTRIES {
        let variables = Variables::unset();
        Model::new(&variables.detached(), &entry.config()).expect(entry.name);
        if let Some((_, millions)) = PUBLISHED.iter().find(|(name, _)| *name == entry.name) {
            let found = variables.parameters() as f64 / 1e6;
            assert!((found / millions - 1.0).abs() < 2e-3, "{}: {found} million, not {millions}", entry.name);
        }
        let json = serde_json::to_string(&entry.config()).expect("JSON");
        let again: Config = serde_json::from_str(&json).expect("a configuration");
        assert_eq!(again, entry.config());
    }
}

#[test]
fn costs_are_those_published() {
    // Multiply-accumulates at 224 x 224 in billions (papers and timm; the norms' and biases' work is not counted).
    for (name, billions, outputs) in [
        ("swin-tiny", 4.49, vec![vec![56, 56, 96], vec![28, 28, 192], vec![14, 14, 384], vec![7, 7, 768]]),
        ("vit-tiny", 1.26, vec![vec![14, 14, 192]]),
    ] {
        let info = info(&find(name).expect("an entry").config(), [224, 224]).expect("a run");
        let found = info.cost.macs as f64 / 1e9;
        assert!((found / billions - 1.0).abs() < 0.01, "{name}: {found} billion, not {billions}");
        assert_eq!(info.outputs, outputs);
        assert!(info.cost.activations > 0);
    }
    assert!(find("resnet").is_none());
}
