//! The published numbers of trainable parameters: Swin-T, four tasks of 21, 7, 1 and 3 outputs.
use nerve_core::graph::Variables;

use super::Adaptation;
use crate::adaptation::MethodSettings;
use crate::backbones::swin::SwinConfig;
use crate::tasks::Decoder;

const TASKS: usize = 4;

fn count(name: &str) -> usize {
    let config = SwinConfig::tiny();
    let adaptation =
        Adaptation::new(Variables::unset(), &config, name, TASKS, &MethodSettings::default()).expect(name);
    adaptation.variables.trainable_parameters()
}

#[test]
fn exact_ones() {
    for (name, want) in [
        ("decoders", 0),
        ("bitfit", 299_112),
        ("relative-bias", 93_288),
        ("vpt-shallow", 19_200),
        ("vpt-deep", 883_200),
        ("lora", 282_624),
        ("adapter", 8_688_000),
        ("compacter", 229_632),
        ("compacter++", 114_816),
    ] {
        assert_eq!(count(name), want, "{name}");
    }
}

/// Printed ones, in millions, with their last digit.
#[test]
fn rounded_ones() {
    for (name, printed, digits) in [
        ("single-full", 110.07, 2),
        ("multi-full", 27.518, 3),
        ("phm", 0.59, 2),
        ("low-rank-adapter", 0.34, 2),
        ("shared-adapter", 2.20, 2),
        ("hyperformer", 72.772, 3),
        ("polyhistor", 6.4107, 4),
        ("polyhistor-lite", 0.4136, 4),
    ] {
        let (found, unit) = (count(name) as f64 / 1e6, 10f64.powi(digits));
        assert_eq!((found * unit).round(), (printed * unit).round(), "{name}: {found}");
    }
    // To the last parameter, so that no change goes unseen.
    assert_eq!(count("hyperformer"), 72_772_304);
    assert_eq!(count("polyhistor"), 6_410_684);
    assert_eq!(count("polyhistor-lite"), 413_552);
    assert_eq!(count("shared-adapter"), 2_195_322);
}

/// The printed backbone's, less the norms of maps: published code has none.
#[test]
fn later_ones() {
    for (rank, want) in [(16, 3_006_522), (32, 4_137_018), (64, 6_398_010)] {
        let config = SwinConfig::tiny();
        let settings = MethodSettings { rank: Some(rank), ..MethodSettings::default() };
        let adaptation =
            Adaptation::new(Variables::unset(), &config, "mtlora", TASKS, &settings).expect("mtlora");
        assert_eq!(adaptation.variables.trainable_parameters(), want, "rank {rank}");
    }
}

#[test]
fn decoders_of_four_tasks() {
    let variables = Variables::unset();
    for (task, outputs) in [21, 7, 1, 3].into_iter().enumerate() {
        let scope = variables.tracked().at("decoders").at(task);
        Decoder::new(&scope, &[96, 192, 384, 768], 256, outputs, 0.1).expect("a decoder");
    }
    assert_eq!(variables.trainable_parameters(), 2_537_504 + 11_520);
}
