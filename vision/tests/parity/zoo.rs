use std::fs;

use nerve_core::graph::{Device, Mode};
use nerve_vision::backbones::mit::MitConfig;
use nerve_vision::backbones::swin::SwinConfig;
use nerve_vision::load::WeightSource;
use nerve_vision::segformer::SegformerConfig;
use nerve_vision::zoo::{Architecture, ModelKind, Opened, open};

use crate::common::{Cases, agree_all, path, weights};

/// Folders as published: their configuration says what to build, and the whole is right.
#[test]
fn published_folders_are_opened() {
    for (name, kind, results) in [
        ("swin_backbone", ModelKind::Backbone, "map"),
        ("dinov2", ModelKind::Backbone, "map"),
        ("dinov2_registers", ModelKind::Backbone, "map"),
        ("upernet", ModelKind::Segmenter, "scores"),
    ] {
        let Opened { architecture, model, report, .. } = open(&mut weights(name), Device::Cpu).expect(name);
        assert_eq!(architecture.kind(), kind);
        assert!(report.loaded > 10 && report.resized.is_empty());
        let mut cases = Cases::open(&format!("{name}_cases.safetensors"));
        for i in 0..cases.count() {
            let found = model.outputs(&cases.tensor(&format!("{i}.image")), Mode::Eval).expect("outputs");
            let wanted = match results {
                "map" => cases.numbered(&format!("{i}.map")),
                _ => vec![cases.tensor(&format!("{i}.scores"))],
            };
            agree_all(&format!("{name}, case {i}"), &found, &wanted);
        }
    }
    // Those whose last map is normed, or alone.
    for name in ["swin_hf", "vit_hf"] {
        let Opened { architecture, model, .. } = open(&mut weights(name), Device::Cpu).expect(name);
        let image = Cases::open(&format!("{name}_cases.safetensors")).tensor("0.image");
        let maps = model.outputs(&image, Mode::Eval).expect("outputs");
        assert_eq!(maps.len(), if architecture.config::<SwinConfig>().is_some() { 3 } else { 1 });
    }
}

#[test]
fn configurations_say_what_is_built() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path("swin_timm.safetensors");
    fs::copy(file, folder.path().join("model.safetensors")).expect("a copy");
    let published = |text: &str| {
        fs::write(folder.path().join("config.json"), text).expect("a file");
        Architecture::published(&WeightSource::open(folder.path()).expect("a source"))
    };
    let config = published(r#"{"architecture": "swin_tiny_patch4_window7_224", "num_classes": 1000}"#);
    let config = config.expect("an architecture");
    assert!(config.config::<SwinConfig>().is_some_and(|c| c.embed_dim == 96 && c.depths == [2, 2, 6, 2]));
    let config =
        published(r#"{"model_type": "segformer", "architectures": ["SegformerForImageClassification"]}"#);
    assert!(config.is_ok_and(|config| config.config::<MitConfig>().is_some()));
    let config =
        published(r#"{"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"]}"#);
    assert!(config.is_ok_and(|config| config.config::<SegformerConfig>().is_some()));
    for (text, part) in [
        (r#"{"model_type": "bert"}"#, "bert, which is not supported"),
        (r#"{"architecture": "resnet50"}"#, "'resnet50' is not in the list"),
        (r#"{"model_type": "swin", "depths": 3}"#, "depths"),
        ("{}", "not stated"),
    ] {
        let error = published(text).expect_err("refused").to_string();
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    fs::remove_file(folder.path().join("config.json")).expect("gone");
    let error = open(&mut WeightSource::open(folder.path()).expect("a source"), Device::Cpu)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("no config.json"), "{error}");
}

/// What fits the shapes of another model is not loaded by halves.
#[test]
fn weights_of_another_model_are_refused() {
    let mut source = weights("swin_timm.safetensors");
    let variables = nerve_core::graph::Variables::unset();
    let architecture = nerve_vision::zoo::find("swin-tiny").expect("an entry").architecture();
    let model = architecture.build(&variables.detached()).expect("a model");
    let keys = model.keys(&source);
    let report = nerve_vision::load::load(&variables, "", &mut source, &*keys).expect("a report");
    assert!(!report.missing.is_empty() && !report.mismatched.is_empty());
    assert!(report.strict().is_err());
}
