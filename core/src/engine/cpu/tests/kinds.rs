//! A field is data: fields that no code of ours was written for learn, by right gradients that reach every block.

use super::*;
use crate::field::{Activation, Encoding, Head, HeadLoss, MlpSpec, OptimizerSpec, SlotId, Spread, StageSpec};
use crate::ops::check::{close, narrow, widen};
use crate::ops::loss::Penalty;
use crate::params::BlockId;

/// Networks from an encoding to density and color, by the width and the hidden layers of the density's.
pub(super) fn field(encoding: Encoding, width: usize, hidden: usize) -> FieldSpec {
    let mut spec = FieldSpec::new(encoding);
    let (geometry, harmonics, color) = (spec.slot(8), spec.slot(4), spec.slot(3));
    let density = MlpSpec {
        name: "density".into(),
        ray_input: None,
        input: SlotId::ENCODING,
        inputs: spec.columns(SlotId::ENCODING),
        width,
        hidden,
        output: geometry,
        detach: false,
    };
    let colors = MlpSpec {
        name: "color".into(),
        ray_input: Some(harmonics),
        input: geometry,
        inputs: 8,
        width: 24,
        hidden: 1,
        output: color,
        ..density.clone()
    };
    spec.stages = vec![
        StageSpec::Mlp(density),
        StageSpec::Density { input: geometry, column: 0 },
        StageSpec::Directions { output: harmonics, octaves: None },
        StageSpec::Mlp(colors),
        StageSpec::Composite { spread: Spread::default() },
    ];
    spec.heads.push(Head {
        name: "color".into(),
        input: color,
        activation: Activation::Sigmoid,
        loss: HeadLoss::Photometric(Penalty::Mse),
        weight: 1.0,
        detach_density: false,
    });
    // After the first step, the first moment is the gradient.
    spec.optimizer = OptimizerSpec {
        betas: [0.0, 0.99],
        packed_tables: false,
        sparse_tables: false,
        ..OptimizerSpec::default()
    };
    spec
}

/// Adds a head of four channels behind a network of its own, which reads what `input` does.
fn with_features(mut spec: FieldSpec, input: SlotId, detach: bool, penalty: Penalty) -> FieldSpec {
    let output = spec.slot(4);
    let network = MlpSpec {
        name: "features".into(),
        ray_input: None,
        input,
        inputs: spec.columns(input),
        width: 16,
        hidden: 1,
        output,
        detach,
    };
    let last = spec.stages.len() - 1;
    spec.stages.insert(last, StageSpec::Mlp(network));
    spec.heads.push(Head {
        name: "features".into(),
        input: output,
        activation: Activation::Identity,
        loss: HeadLoss::Channels(penalty),
        weight: 0.5,
        detach_density: detach,
    });
    spec
}

pub(super) fn tables() -> Encoding {
    Encoding::HashGrid { grid: Setup::default().grid, init: 0.5 }
}

pub(super) fn open(spec: &FieldSpec, isa: Isa) -> CpuEngine {
    CpuEngine::with_isa(spec, &workers(2), isa).unwrap()
}

/// Rays of all lengths with random targets of every head.
pub(super) fn given(engine: &CpuEngine, seed: u64) -> shots::Given {
    given_in(engine, seed, 1.0)
}

/// The same in a part of the box, and slightly beyond that.
pub(super) fn given_in(engine: &CpuEngine, seed: u64, side: f32) -> shots::Given {
    let mut given = Shots::new(seed, side, (0..80).map(|i| (i * 7) % 23)).given(0);
    let n = given.rays.len() * engine.field.targets.width();
    given.targets = narrow(&TestRng::new(seed + 1).uniforms(n, 0.0, 1.0));
    given
}

/// The gradients of all blocks, by a step that moves nothing.
pub(super) fn gradients(engine: &mut CpuEngine, given: &shots::Given) -> Vec<Vec<f64>> {
    engine.step(&given.step(0.0)).unwrap();
    engine.params.blocks().iter().map(|b| widen(&b.m)).collect()
}

/// Along its own gradient a block's loss changes as that says: differences through the whole field.
pub(super) fn check_differences(
    engine: &mut CpuEngine,
    given: &shots::Given,
    blocks: impl IntoIterator<Item = BlockId>,
) {
    let gradients = gradients(engine, given);
    for block in blocks {
        let gradient = &gradients[block.index()];
        let name = engine.params.blocks()[block.index()].spec.name.clone();
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!(norm > 0.0, "the gradient does not reach {name}");
        let start = engine.read(block).unwrap();
        let mut at = |h: f64| {
            let moved: Vec<f64> =
                start.iter().zip(gradient).map(|(x, g)| f64::from(*x) + h * g / norm).collect();
            engine.write(block, &narrow(&moved)).unwrap();
            engine.step(&given.step(0.0)).unwrap().loss
        };
        // Long enough for f32, short enough that no sample is dropped on one side alone.
        let h = (2e-5 / norm).clamp(5e-4, 1e-2);
        let slope = (at(h) - at(-h)) / (2.0 * h);
        at(0.0);
        assert!((slope / norm - 1.0).abs() < 1e-2, "{name}: {slope} by differences, {norm} by the engine");
    }
}

pub(super) fn learns(spec: &FieldSpec) {
    let spec = FieldSpec { optimizer: OptimizerSpec::default(), ..spec.clone() };
    let mut engine = open(&spec, Isa::best());
    let given = given(&engine, 5);
    let losses: Vec<f64> = (0..40).map(|_| engine.step(&given.step(1e-2)).unwrap().loss).collect();
    assert!(losses[39] < 0.9 * losses[0], "{losses:?}");
}

#[test]
fn a_field_without_an_encoding_learns() {
    let spec = field(Encoding::Coordinates, 32, 2);
    assert_eq!(spec.layout().unwrap().handles.tables, []);
    for isa in Isa::available() {
        let mut engine = open(&spec, isa);
        let given = given(&engine, 1);
        let all = engine.layout.params.ids();
        check_differences(&mut engine, &given, all);
    }
    learns(&spec);
}

#[test]
fn a_field_with_frequencies_and_a_deep_network_learns() {
    for least in [0.0, 0.1] {
        let mut spec = field(Encoding::Frequency { octaves: 4 }, 40, 6);
        spec.min_transmittance = least;
        let mut engine = open(&spec, Isa::best());
        let given = given(&engine, 2);
        let all = engine.layout.params.ids();
        check_differences(&mut engine, &given, all);
        learns(&spec);
    }
}

/// A shift of a camera is a shift of its rays: what tracing says is what differences of the rays' origins say, through
/// encodings with and without tables.
#[test]
fn poses_are_traced_through_any_encoding() {
    for encoding in [Encoding::Coordinates, Encoding::Frequency { octaves: 3 }, tables()] {
        let mut spec = field(encoding, 32, 2);
        spec.cameras.trace = true;
        let mut engine = open(&spec, Isa::best());
        let mut given = given_in(&engine, 3, 0.6);
        given.rays.iter_mut().for_each(|ray| ray.camera = 0);
        let mut sums = [[0.0; 6]];
        engine.trace(&given.step(0.0), &mut sums).unwrap();
        let start = given.rays.clone();
        for axis in 0..3 {
            let mut at = |h: f32| {
                for (ray, start) in given.rays.iter_mut().zip(&start) {
                    ray.origin[axis] = start.origin[axis] + h;
                }
                engine.trace(&given.step(0.0), &mut [[0.0; 6]]).unwrap().loss
            };
            // A step away from the faces of cells, where tables have kinks.
            let h = 2e-5;
            let slope = (at(h) - at(-h)) / (2.0 * f64::from(h));
            at(0.0);
            let (got, size) = (sums[0][3 + axis], sums[0][3..].iter().map(|d| d * d).sum::<f64>().sqrt());
            assert!((got - slope).abs() < 0.05 * size, "{:?}: {got} {slope}", spec.encoding);
        }
    }
}

/// Its network learns, and nothing else hears of it: the gradients are those of the field without it.
#[test]
fn a_second_head_may_be_detached() {
    let plain = field(tables(), 32, 1);
    for input in [SlotId(1), SlotId::ENCODING] {
        let spec = with_features(plain.clone(), input, true, Penalty::Mse);
        let (mut one, mut two) = (open(&plain, Isa::best()), open(&spec, Isa::best()));
        let both = given(&two, 4);
        let mut first = given(&one, 4);
        first.targets = both.targets.chunks_exact(11).flat_map(|row| &row[..7]).copied().collect();
        let (want, got) = (gradients(&mut one, &first), gradients(&mut two, &both));
        for (want, got) in want.iter().zip(&got) {
            close(&narrow(got), want, 1e-6, 1e-6).unwrap();
        }
        let network = two.layout.handles.networks[2].clone();
        assert_eq!(network.len(), 2);
        check_differences(&mut two, &both, network);
        let [color, features] = two.head_losses() else { panic!("two heads") };
        assert!(*color > 0.0 && *features > 0.0);
        learns(&spec);
    }
}

/// What reads a slot together adds up there, whichever slot that is; densities hear of both heads.
#[test]
fn heads_that_are_heard_of_have_right_gradients() {
    for (input, penalty) in
        [(SlotId(1), Penalty::Mse), (SlotId::ENCODING, Penalty::L1), (SlotId(1), Penalty::Huber)]
    {
        for least in [0.0, 0.2] {
            let mut spec = with_features(field(tables(), 32, 1), input, false, penalty);
            spec.min_transmittance = least;
            spec.stages.pop();
            let scale = crate::ops::distortion::DistanceScale::new(0.3, 1.0);
            spec.stages.push(StageSpec::Composite { spread: Spread { distortion: 0.0, depth: 0.0, scale } });
            let mut engine = open(&spec, Isa::best());
            let given = given(&engine, 6);
            let all = engine.layout.params.ids();
            check_differences(&mut engine, &given, all);
        }
    }
}

/// A head that weights hear nothing of, through a network that passes its gradient on: features move, densities do not.
#[test]
fn weights_and_features_are_detached_apart() {
    let mut spec = with_features(field(tables(), 32, 1), SlotId(1), false, Penalty::Mse);
    let mut gradient = |detached: bool| {
        spec.heads[1].detach_density = detached;
        let mut engine = open(&spec, Isa::best());
        let given = given(&engine, 7);
        gradients(&mut engine, &given)
    };
    let (heard, detached) = (gradient(false), gradient(true));
    let tables = Setup::default().grid.levels;
    let network = heard.len() - 2;
    assert!(heard[..tables].iter().zip(&detached).all(|(a, b)| a != b));
    for (a, b) in heard[network..].iter().zip(&detached[network..]) {
        close(&narrow(a), b, 1e-6, 1e-6).unwrap();
    }
}

/// A network that sees all columns but the density's, which lies in a panel of its own: nothing of the tile before is
/// left there.
#[test]
fn a_density_beside_what_the_colors_see_has_right_gradients() {
    let mut setup = Setup { geometry: 17, hidden: true, ..Setup::default() };
    setup.grid.levels = 3;
    let mut engine = setup.engine(Isa::best(), 1);
    let shots = Shots::new(8, 1.0, [300; 9]);
    let given = shots.given(7);
    let all = engine.layout.params.ids();
    check_differences(&mut engine, &given, all);
}
