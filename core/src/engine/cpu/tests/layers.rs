//! Fields whose networks are single layers: the classic one, with features of EUGen layers, and in 8 bits.

use super::kinds::{check_differences, field, given, given_in, gradients, learns, open, tables};
use super::*;
use crate::field::{Encoding, FeaturesSpec, LayerSpec, SlotId, StageSpec};
use crate::ops::check::{close, narrow};
use crate::ops::eugen::{FeatureConfig, Nonlinearity};

/// Layers of a classic field, small: three of a trunk, the middle one of which sees the encoding again, density and feature
/// behind it, and colors by direction. `features`: what the trunk's first layer is in place of a layer.
fn classic(encoding: Encoding, bias: bool, features: Option<FeatureConfig>) -> FieldSpec {
    let mut spec = field(encoding, 16, 1);
    let composite = spec.stages.pop().unwrap();
    spec.slots.truncate(1);
    let mut layer = |name: &str, inputs: &[SlotId], outputs: usize, activation| {
        let output = spec.slot(outputs);
        let (name, inputs) = (name.to_owned(), inputs.to_vec());
        LayerSpec { name, ray_input: None, inputs, output, activation, bias, int8: false }
    };
    let (relu, linear) = (Nonlinearity::Relu, Nonlinearity::Identity);
    let encoded = SlotId::ENCODING;
    let width = features.as_ref().map_or(24, FeatureConfig::outputs);
    let first = layer("trunk.0", &[encoded], width, relu);
    let second = layer("trunk.1", &[encoded, first.output], 24, relu);
    let third = layer("trunk.2", &[second.output], 20, relu);
    let density = layer("density", &[third.output], 1, linear);
    let feature = layer("feature", &[third.output], 24, linear);
    let mut view = layer("view", &[feature.output], 18, relu);
    let rgb = layer("color", &[view.output], 3, linear);
    let directions = spec.slot(3 + 6 * 2);
    view.ray_input = Some(directions);
    spec.heads[0].input = rgb.output;
    let start = match features {
        None => StageSpec::Layer(first),
        Some(config) => {
            let (name, output) = (first.name, first.output);
            StageSpec::Features(FeaturesSpec { name, input: encoded, output, config })
        }
    };
    let column = 0;
    let raw = density.output;
    spec.stages = vec![
        start,
        StageSpec::Layer(second),
        StageSpec::Layer(third),
        StageSpec::Layer(density),
        StageSpec::Density { input: raw, column },
        StageSpec::Layer(feature),
        StageSpec::Directions { output: directions, octaves: Some(2) },
        StageSpec::Layer(view),
        StageSpec::Layer(rgb),
        composite,
    ];
    spec
}

fn frequencies() -> Encoding {
    Encoding::Frequency { octaves: 3 }
}

#[test]
fn a_classic_field_has_right_gradients() {
    for encoding in [frequencies(), tables()] {
        // Entries of tables are seen by many samples, some of which would be dropped on one side of a difference alone.
        let least = if encoding == frequencies() { 0.1 } else { 0.0 };
        for (bias, least) in [(true, 0.0), (false, least)] {
            let mut spec = classic(encoding.clone(), bias, None);
            spec.min_transmittance = least;
            for isa in Isa::available() {
                let mut engine = open(&spec, isa);
                let given = given(&engine, 2);
                let all = engine.layout.params.ids();
                let tables = engine.layout.handles.tables.clone();
                check_differences(&mut engine, &given, all.filter(|id| !tables.contains(id)));
                // Entries of the coarse tables move all samples over kinks at once: a shorter step, and what f32 leaves of it.
                for table in tables {
                    let gradient = gradients(&mut engine, &given)[table.index()].clone();
                    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                    let start = engine.read(table).unwrap();
                    let mut at = |h: f64| {
                        let moved = start.iter().zip(&gradient).map(|(x, g)| f64::from(*x) + h * g / norm);
                        engine.write(table, &narrow(&moved.collect::<Vec<_>>())).unwrap();
                        engine.step(&given.step(0.0)).unwrap().loss
                    };
                    let slope = (at(2e-3) - at(-2e-3)) / 4e-3;
                    at(0.0);
                    assert!(
                        (slope / norm - 1.0).abs() < 0.03,
                        "{slope} by differences, {norm} by the engine"
                    );
                }
            }
        }
    }
    learns(&classic(frequencies(), true, None));
}

#[test]
fn features_in_a_field_have_right_gradients() {
    let order = |order, phi| FeatureConfig { order, features: 16, phi, ..FeatureConfig::default() };
    let configs = [
        FeatureConfig::low_rank(16),
        FeatureConfig::magnituder(16),
        order(1, Nonlinearity::Relu),
        order(2, Nonlinearity::Relu),
        order(3, Nonlinearity::Identity),
    ];
    for config in configs {
        for encoding in [frequencies(), tables()] {
            let spec = classic(encoding, true, Some(config.clone()));
            let mut engine = open(&spec, Isa::best());
            let given = given(&engine, 3);
            let all = engine.layout.params.ids();
            check_differences(&mut engine, &given, all);
        }
    }
    learns(&classic(frequencies(), true, Some(order(2, Nonlinearity::Relu))));
}

/// Frozen projections stay; everything else moves.
#[test]
fn frozen_projections_stay() {
    let config = FeatureConfig { features: 16, frozen: true, ..FeatureConfig::default() };
    let mut engine = open(&classic(tables(), true, Some(config)), Isa::best());
    let given = given(&engine, 4);
    let all = |engine: &CpuEngine| -> Vec<Vec<f32>> {
        engine.layout.params.ids().map(|id| engine.read(id).unwrap()).collect()
    };
    let before = all(&engine);
    engine.step(&given.step(1e-2)).unwrap();
    let after = all(&engine);
    for ((before, after), block) in before.iter().zip(&after).zip(engine.layout.params.blocks()) {
        assert_eq!(before == after, block.name.ends_with(".g"), "{}", block.name);
    }
}

/// Layers are what a network without biases is, weight by weight.
#[test]
fn layers_are_a_network() {
    let network = field(tables(), 16, 1);
    let mut spec = network.clone();
    let (encoded, geometry) = (SlotId::ENCODING, SlotId(1));
    let hidden = spec.slot(16);
    let layer = |name: &str, input, output, activation| {
        StageSpec::Layer(LayerSpec {
            name: name.into(),
            ray_input: None,
            inputs: vec![input],
            output,
            activation,
            bias: false,
            int8: false,
        })
    };
    spec.stages.splice(
        0..1,
        [
            layer("density.0", encoded, hidden, Nonlinearity::Relu),
            layer("density.1", hidden, geometry, Nonlinearity::Identity),
        ],
    );
    let (mut one, mut two) = (open(&network, Isa::best()), open(&spec, Isa::best()));
    let blocks: Vec<_> = one.layout.params.blocks().to_vec();
    let place = |engine: &CpuEngine, name: &str| {
        let at = engine.layout.params.blocks().iter().position(|block| block.name == name).unwrap();
        engine.layout.params.ids().nth(at).unwrap()
    };
    for (id, block) in one.layout.params.ids().zip(&blocks) {
        let to = place(&two, &block.name);
        two.write(to, &one.read(id).unwrap()).unwrap();
    }
    let given = given(&one, 5);
    let (want, got) = (gradients(&mut one, &given), gradients(&mut two, &given));
    for (id, block) in one.layout.params.ids().zip(&blocks) {
        let to = place(&two, &block.name);
        close(&narrow(&got[to.index()]), &want[id.index()], 1e-5, 1e-4).unwrap();
    }
    // What a layer gives can be looked at.
    let axis = vec![0.3, 0.8];
    let positions = [&axis[..], &axis, &axis];
    let (mut hidden_rows, mut raw, mut sigma) = (vec![0.0; 2 * 16], vec![0.0; 2 * 8], vec![0.0; 2]);
    two.activations(positions, hidden, &mut hidden_rows).unwrap();
    two.activations(positions, geometry, &mut raw).unwrap();
    two.density(positions, &mut sigma).unwrap();
    for (row, sigma) in raw.chunks_exact(8).zip(&sigma) {
        assert!((row[0].exp() / sigma - 1.0).abs() < 1e-4, "{} {sigma}", row[0]);
    }
    assert!(hidden_rows.iter().all(|v| *v >= 0.0) && hidden_rows.iter().any(|v| *v > 0.0));
    let color = spec.heads[0].input;
    let error = two.activations(positions, color, &mut raw).unwrap_err().to_string();
    assert!(error.contains("before densities"), "{error}");
}

/// In 8 bits a field is close to what it is in f32, learns, and its layers' gradients are about those of f32.
#[test]
fn layers_in_8_bits_are_close() {
    let exact = classic(frequencies(), true, None);
    let mut rounded = exact.clone();
    for stage in &mut rounded.stages {
        if let StageSpec::Layer(layer) = stage {
            layer.int8 = layer.name.starts_with("trunk");
        }
    }
    let (mut one, mut two) = (open(&exact, Isa::best()), open(&rounded, Isa::best()));
    let given = given(&one, 6);
    let (want, got) = (gradients(&mut one, &given), gradients(&mut two, &given));
    assert_ne!(want, got);
    for ((want, got), block) in want.iter().zip(&got).zip(one.layout.params.blocks()) {
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let off: Vec<f64> = want.iter().zip(got).map(|(a, b)| a - b).collect();
        assert!(norm(&off) < 0.2 * norm(want), "{}: {} of {}", block.name, norm(&off), norm(want));
    }
    learns(&rounded);
}

/// Directions by frequencies hand on the gradient that poses are learned from.
#[test]
fn poses_are_traced_through_layers_and_directions() {
    let mut spec = classic(Encoding::Frequency { octaves: 2 }, true, None);
    spec.cameras.trace = true;
    let mut engine = open(&spec, Isa::best());
    let mut given = given_in(&engine, 3, 0.6);
    given.rays.iter_mut().for_each(|ray| ray.camera = 0);
    let mut sums = [[0.0; 6]];
    engine.trace(&given.step(0.0), &mut sums).unwrap();
    let start = given.rays.clone();
    let size = sums[0].iter().map(|d| d * d).sum::<f64>().sqrt();
    for axis in 0..3 {
        let mut at = |h: f32, turn: bool| {
            for (ray, start) in given.rays.iter_mut().zip(&start) {
                *ray = *start;
                if turn {
                    // A small turn about the axis moves directions by its cross product with them.
                    let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
                    ray.direction[a] -= h * start.direction[b];
                    ray.direction[b] += h * start.direction[a];
                } else {
                    ray.origin[axis] += h;
                }
            }
            engine.trace(&given.step(0.0), &mut [[0.0; 6]]).unwrap().loss
        };
        for turn in [false, true] {
            let h = 1e-4;
            let slope = (at(h, turn) - at(-h, turn)) / (2.0 * f64::from(h));
            at(0.0, turn);
            let got = sums[0][axis + if turn { 0 } else { 3 }];
            assert!((got - slope).abs() < 0.05 * size, "axis {axis}, turn {turn}: {got} {slope}");
        }
    }
}

#[test]
fn what_cannot_be_of_layers_is_named() {
    let spec = classic(frequencies(), true, Some(FeatureConfig { features: 16, ..FeatureConfig::default() }));
    assert_eq!(spec.validate(), Ok(()));
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<FieldSpec>(&text).unwrap(), spec);
    let layer =
        |spec: &mut FieldSpec, stage: usize, change: &dyn Fn(&mut LayerSpec)| match &mut spec.stages[stage] {
            StageSpec::Layer(layer) => change(layer),
            _ => panic!("no layer"),
        };
    type Change<'a> = &'a dyn Fn(&mut FieldSpec);
    let mistakes: &[(&str, Change<'_>)] = &[
        ("layer `trunk.1`: reads nothing", &|s| layer(s, 1, &|l| l.inputs.clear())),
        ("layer `trunk.1`: reads a slot twice", &|s| layer(s, 1, &|l| l.inputs = vec![SlotId::ENCODING; 2])),
        ("another has its name", &|s| layer(s, 1, &|l| l.name = "trunk.0".into())),
        ("16 features", &|s| s.slots[1] = 24),
        ("2 octaves", &|s| {
            let slot = s.stages.iter().find_map(|s| match s {
                StageSpec::Directions { output, .. } => Some(output.0),
                _ => None,
            });
            s.slots[slot.unwrap()] = 16;
        }),
    ];
    for (part, change) in mistakes {
        let mut wrong = spec.clone();
        change(&mut wrong);
        let error = wrong.validate().expect_err(part).to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}
