#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::{ClassicConfig, LayersConfig};
use nerve_core::ops::eugen::FeatureConfig;

fn classic() -> NerfConfig {
    let mut config = NerfConfig::default();
    config.field.method = Method::Classic;
    config
}

fn parameters(config: &NerfConfig) -> usize {
    spec(config, DeviceKind::Cpu, 1, 1).layout().unwrap().params.values()
}

fn eugen(mut config: NerfConfig, layers: &[&str]) -> NerfConfig {
    config.layers.eugen = layers.iter().map(|name| (*name).to_owned()).collect();
    config
}

/// The published network has 595,844 values; a layer and the one behind it, merged at 64 features, a quarter of theirs.
#[test]
fn parameters_are_the_published_ones() {
    let full = classic();
    assert_eq!(full.validate(), Ok(()));
    assert_eq!(parameters(&full), 595_844);
    let two = eugen(full.clone(), &["trunk.1", "trunk.3"]);
    assert_eq!(two.validate(), Ok(()));
    assert_eq!(parameters(&two), 595_844 - 2 * (131_584 - 33_152));
    let mut small = full;
    small.classic = ClassicConfig { trunk_width: 64, trunk_layers: 3, skip: 0, ..ClassicConfig::default() };
    let layers = 63 * 64 + 64 + 2 * (64 * 64 + 64);
    let heads = 64 + 1 + 64 * 64 + 64 + (64 + 27) * 128 + 128 + 128 * 3 + 3;
    assert_eq!(parameters(&small), layers + heads);
}

#[test]
fn layers_that_cannot_be_rebuilt_are_named() {
    let error = |config: NerfConfig| config.validate().unwrap_err().to_string();
    let wrong = error(eugen(classic(), &["trunk.9"]));
    assert!(wrong.contains("trunk.9") && wrong.contains("trunk.1, trunk.2"), "{wrong}");
    assert!(
        !wrong.contains("trunk.5") && !wrong.contains("view"),
        "what sees two inputs is not offered: {wrong}"
    );
    assert!(error(eugen(classic(), &["trunk.5"])).contains("trunk.5"));
    assert!(error(eugen(classic(), &["density"])).contains("density"));
    assert!(error(eugen(classic(), &["trunk.1", "trunk.2"])).contains("follow one another"));
    assert!(error(eugen(classic(), &["trunk.1", "trunk.1"])).contains("a layer once"));
    let mut both = eugen(classic(), &["trunk.1"]);
    both.layers.int8 = vec!["trunk.1".into()];
    assert!(error(both).contains("--int8-layers"));
    let mut int8 = classic();
    int8.layers.int8 = vec!["trunk.0".into(), "colour".into()];
    assert!(error(int8.clone()).contains("colour"));
    int8.layers.int8[1] = "color".into();
    assert_eq!(int8.validate(), Ok(()));
    let plain = eugen(NerfConfig::default(), &["trunk.1"]);
    assert!(error(plain).contains("density.0"));
}

/// The density network of a hash-grid field is one network, or layers of the same names and shapes where they are asked for.
#[test]
fn hash_grid_fields_have_such_layers() {
    let mut config = NerfConfig::default();
    (config.field.width, config.field.density_layers) = (128, 3);
    let blocks = |config: &NerfConfig| {
        let layout = spec(config, DeviceKind::Cpu, 1, 1).layout().unwrap();
        let mut blocks: Vec<_> =
            layout.params.blocks().iter().map(|b| (b.name.clone(), b.shape.clone())).collect();
        blocks.sort();
        blocks
    };
    let mut apart = config.clone();
    apart.layers = LayersConfig { apart: true, ..LayersConfig::default() };
    assert_eq!(blocks(&apart), blocks(&config));
    let features = FeatureConfig { features: 32, ..FeatureConfig::default() };
    let mut eugen = eugen(config.clone(), &["density.1"]);
    eugen.layers.features = features.clone();
    assert_eq!(eugen.validate(), Ok(()));
    let saved = 2 * 128 * 128 - (130 * 32 + (32 + 1) * 128);
    assert_eq!(parameters(&config) - parameters(&eugen), saved);
    assert!(blocks(&eugen).iter().any(|(name, shape)| name == "density.1.g" && shape == &[1, 130, 32]));
}
