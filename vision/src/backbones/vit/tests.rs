use nerve_core::graph::{Mode, Variables};

use super::*;
use crate::check::{gradient_reach, images};

fn small() -> VitConfig {
    VitConfig {
        image: [32, 32],
        dim: 12,
        depth: 2,
        heads: 3,
        hidden: 30,
        out: Some(vec![0, 1]),
        ..VitConfig::tiny(8)
    }
}

#[test]
fn sizes_are_those_published() {
    for (config, millions) in [
        (VitConfig::tiny(16), 5.52),
        (VitConfig::small(16), 21.67),
        (VitConfig::base(16), 85.80),
        (VitConfig::large(16), 303.3),
        (VitConfig::small(14).dinov2(0), 22.06),
        (VitConfig::base(14).dinov2(4), 86.58),
    ] {
        let variables = Variables::unset();
        Vit::new(&variables.detached(), &config).expect("a model");
        let found = variables.parameters() as f64 / 1e6;
        assert!((found / millions - 1.0).abs() < 1e-3, "{found} million, not {millions}");
    }
}

#[test]
fn every_variable_has_a_gradient() {
    let variants = [
        small(),
        VitConfig { registers: 2, ..small() },
        VitConfig { registers: 2, positions: Positions::Patches, layer_scale: Some(0.3), ..small() },
        VitConfig { registers: 1, positions: Positions::All, norm_maps: true, ..small() },
        VitConfig { class_token: false, pre_norm: true, qkv_bias: false, ..small() },
    ];
    for config in variants {
        let variables = Variables::random(3);
        let model = Vit::new(&variables.tracked(), &config).expect("a model");
        let run = || {
            let VitFeatures { mut maps, tokens } = model.forward(&images(40, 27), Mode::Eval)?;
            maps.push(tokens);
            Ok(maps)
        };
        gradient_reach(&variables, run).expect("all are reached");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let scope = Variables::unset().detached();
    for (config, field) in [
        (VitConfig { heads: 5, ..small() }, "5 heads"),
        (VitConfig { image: [7, 32], ..small() }, "no patches"),
        (VitConfig { out: Some(vec![2]), ..small() }, "to output"),
    ] {
        let error = Vit::new(&scope, &config).expect_err("it cannot be").to_string();
        assert!(error.contains(field), "{error}");
    }
    let published = |text: &str| serde_json::from_str::<PublishedVit>(text).expect("JSON");
    for (text, field) in [
        (r#"{"model_type": "swin"}"#, "model_type"),
        (r#"{"model_type": "dinov2", "use_swiglu_ffn": true}"#, "use_swiglu_ffn"),
        (r#"{"model_type": "vit", "patch_size": [16, 8]}"#, "patch_size"),
    ] {
        let error = VitConfig::try_from(published(text)).expect_err("it cannot be").to_string();
        assert!(error.contains(field), "{error}");
    }
}
