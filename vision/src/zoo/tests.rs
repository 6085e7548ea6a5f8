use std::collections::BTreeSet;

use nerve_core::graph::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::backbones::{
    clip_resnet::ClipResNetConfig, dinov3::DinoV3Config, mit::MitConfig, swin::SwinConfig,
    tiny_vit::TinyVitConfig, vit::VitConfig,
};
use crate::segformer::SegformerConfig;
use crate::upernet::UperNetConfig;

/// Published numbers of parameters in millions, without classifiers; segmenters without auxiliary heads.
const PUBLISHED: [(&str, f64); 14] = [
    ("swin-tiny", 27.52),
    ("swin-base-384", 86.88),
    ("vit-tiny", 5.52),
    ("vit-large", 303.30),
    ("dinov2-small", 22.06),
    ("dinov2-large-registers", 304.37),
    ("clip-vit-b16", 85.80),
    ("clip-rn50", 23.53),
    ("mit-b0", 3.32),
    ("mit-b5", 81.44),
    ("tinyvit-5m", 5.07),
    ("segformer-b0", 3.75),
    ("segformer-b5", 84.59),
    ("upernet-swin-tiny", 58.94),
];

/// Whether it is made of a `C`, which is then written and read again.
fn survives_json<C>(architecture: &Architecture) -> bool
where
    C: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    let Some(config) = architecture.config::<C>() else { return false };
    let json = serde_json::to_string(config).expect("JSON");
    assert_eq!(&serde_json::from_str::<C>(&json).expect("a configuration"), config);
    true
}

#[test]
fn all_can_be_built_and_have_the_published_size() {
    let names: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ENTRIES.len());
    for (name, _) in PUBLISHED {
        assert!(names.contains(name), "{name}");
    }
    for entry in ENTRIES {
        let variables = Variables::unset();
        let architecture = entry.architecture();
        architecture.build(&variables.detached()).expect(entry.name);
        if let Some((_, millions)) = PUBLISHED.iter().find(|(name, _)| *name == entry.name) {
            let found = variables.parameters() as f64 / 1e6;
            assert!((found / millions - 1.0).abs() < 2e-3, "{}: {found} million, not {millions}", entry.name);
        }
        let kinds = [
            survives_json::<SwinConfig>(&architecture),
            survives_json::<VitConfig>(&architecture),
            survives_json::<ClipResNetConfig>(&architecture),
            survives_json::<DinoV3Config>(&architecture),
            survives_json::<MitConfig>(&architecture),
            survives_json::<TinyVitConfig>(&architecture),
            survives_json::<SegformerConfig>(&architecture),
            survives_json::<UperNetConfig>(&architecture),
        ];
        assert_eq!(kinds.into_iter().filter(|is| *is).count(), 1, "{}", entry.name);
    }
}

#[test]
fn costs_are_those_published() {
    // Multiply-accumulates at 224 x 224 in billions (papers and timm; the norms' and biases' work is not counted).
    for (name, billions, outputs) in [
        ("swin-tiny", 4.49, vec![vec![56, 56, 96], vec![28, 28, 192], vec![14, 14, 384], vec![7, 7, 768]]),
        ("vit-tiny", 1.26, vec![vec![14, 14, 192]]),
    ] {
        let info =
            info(&find(name).expect("an entry").architecture(), [224, 224], usize::MAX).expect("a run");
        let found = info.cost.macs as f64 / 1e9;
        assert!((found / billions - 1.0).abs() < 0.01, "{name}: {found} billion, not {billions}");
        assert_eq!(info.outputs, outputs);
        assert!(info.cost.activations > 0);
    }
    assert!(find("resnet").is_none());
}

/// A folder with this `config.json` and a single number for weights.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let weights = [&(header.len() as u64).to_le_bytes()[..], header, &1f32.to_le_bytes()].concat();
    std::fs::write(folder.path().join("config.json"), config).expect("a file");
    std::fs::write(folder.path().join("model.safetensors"), weights).expect("a file");
    folder
}

/// Nothing is allocated, and nothing runs for long, for what a configuration claims.
#[test]
fn configurations_that_no_model_has_are_refused() {
    let segformer = |change: &str| {
        format!(
            r#"{{"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"], "sr_ratios": [2],
            "patch_sizes": [3], "strides": [2], "num_attention_heads": [2], "mlp_ratios": [2],
            "decoder_hidden_size": 4, "id2label": {{"0": "a"}}, {change}}}"#
        )
    };
    let upernet = |change: &str| {
        format!(
            r#"{{"model_type": "upernet", "auxiliary_channels": 4, "backbone_config": {{"model_type": "swin",
            "embed_dim": 4, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "out_features": ["stage1"], {change}"#
        )
    };
    let id = r#""id2label": {"0": "a"}}"#;
    for (config, wanted) in [
        (segformer(r#""depths": [1], "hidden_sizes": [1000000]"#), "`hidden_sizes` is 1000000"),
        (segformer(r#""depths": [1], "hidden_sizes": [65536]"#), "more than"),
        (segformer(r#""depths": [1000000000], "hidden_sizes": [8]"#), "`depths` is 1000000000"),
        (segformer(r#""depths": [65536], "hidden_sizes": [8]"#), "more than"),
        (
            upernet(&format!(r#""mlp_ratio": 1e300}}, "hidden_size": 8, {id}"#)),
            "`backbone_config.mlp_ratio` is 1e",
        ),
        (
            upernet(&format!(r#""mlp_ratio": 4}}, "hidden_size": 18446744073709551615, {id}"#)),
            "`hidden_size` is",
        ),
        (upernet(&format!(r#""window_size": 65536}}, "hidden_size": 8, {id}"#)), "more than"),
        (upernet(&format!(r#""patch_size": 65536}}, "hidden_size": 8, {id}"#)), "more than"),
        (
            r#"{"model_type": "vit", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 65536, "patch_size": 1}"#
                .into(),
            "more than",
        ),
    ] {
        let folder = folder(&config);
        let mut source = crate::load::WeightSource::open(folder.path()).expect("a source");
        let error = open(&mut source, Device::Cpu).map(|_| ()).expect_err(&config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
}
