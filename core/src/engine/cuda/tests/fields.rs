//! Losses and gradients of fields of all forms are the processor's.

use super::*;
use crate::field::OptimizerSpec;
use crate::ops::hash_grid::HashGridConfig;

fn grid(levels: usize, features: usize) -> HashGridConfig {
    HashGridConfig { levels, features, ..Setup::default().grid }
}

/// Every form that kernels know, and odd extents.
fn setups() -> Vec<(&'static str, Setup)> {
    let d = Setup::default;
    vec![
        ("the usual one", d()),
        ("one feature", Setup { grid: grid(5, 1), ..d() }),
        ("four features", Setup { grid: grid(3, 4), ..d() }),
        ("eight features, one level", Setup { grid: grid(1, 8), ..d() }),
        ("narrow", Setup { width: 16, geometry: 3, harmonics: 4, ..d() }),
        ("odd", Setup { width: 24, geometry: 9, harmonics: 9, color_layers: 1, ..d() }),
        ("deep", Setup { width: 32, density_layers: 3, color_layers: 4, ..d() }),
        ("the raw density hidden", Setup { hidden: true, ..d() }),
        ("opaque", Setup { min_transmittance: 0.3, size: 3.0, ..d() }),
        ("a large box", Setup { box_side: 4.0, ..d() }),
        ("saliency", Setup { saliency: Some(8), ..d() }),
        ("gate", Setup { gate: Some(0.7), ..d() }),
        ("hollow", Setup { saliency: Some(4), gate: Some(2.0), min_transmittance: 1e-3, ..d() }),
        ("colors", Setup { colors: true, ..d() }),
        ("distortion", Setup { spread: [0.3, 0.0], ..d() }),
        ("poses", Setup { pose: true, ..d() }),
        ("poses of an opaque one", Setup { pose: true, min_transmittance: 0.3, size: 3.0, ..d() }),
        ("poses, four features", Setup { pose: true, grid: grid(3, 4), hidden: true, ..d() }),
        ("poses, one feature, few harmonics", Setup { pose: true, grid: grid(5, 1), harmonics: 4, ..d() }),
        (
            "poses in a large box, gated",
            Setup { pose: true, box_side: 2.0, harmonics: 9, gate: Some(0.7), ..d() },
        ),
        ("poses and colors", Setup { pose: true, colors: true, spread: [0.2, 0.4], ..d() }),
        ("all at once", Setup { spread: [0.2, 0.4], colors: true, saliency: Some(4), hidden: true, ..d() }),
    ]
}

/// Compares one step's loss, statistics and gradients (the first moments) with the processor's.
fn check(name: &str, setup: &Setup, precision: Precision, order: u32) {
    let tolerance = if precision == Precision::F32 { 2e-5 } else { 2e-2 };
    let mut cpu = setup.engine(Isa::best(), 1);
    let spec = FieldSpec {
        optimizer: OptimizerSpec { sparse_tables: false, ..setup.spec().optimizer },
        ..setup.spec()
    };
    let mut gpu = twin(order, &FieldSpec { precision, ..spec }, &cpu);
    // Rays without samples, with one, with more than a tile.
    let given = Shots::new(3, setup.box_side, (0..60).map(|i| [0, 1, 7, 20, 90][i % 5]))
        .given(setup.spec().layout().unwrap().targets.width());
    let (want, got) = (cpu.step(&given.step(0.0)).unwrap(), gpu.step(&given.step(0.0)).unwrap());
    let close = |what: &str, a: f64, b: f64| {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-3), "{name}, {what}: {a} for {b}");
    };
    close("loss", got.loss, want.loss);
    close("distortion", got.spread[0], want.spread[0]);
    close("deviation", got.spread[1], want.spread[1]);
    close("saliency", got.saliency, want.saliency);
    assert_eq!((got.rays, got.samples), (want.rays, want.samples), "{name}");
    if precision == Precision::F32 {
        assert_eq!((got.kept, got.hits), (want.kept, want.hits), "{name}");
    }
    for block in cpu.layout().params.blocks() {
        let of = format!("adam.m/{}", block.name);
        let (want, got) = (state(&cpu, &of), state(&gpu, &of));
        assert!(want.iter().any(|g| *g != 0.0), "{name}: {of} is reached");
        let off = difference(&got, &want);
        assert!(off < 5.0 * tolerance, "{name}: {of} is off by {off}");
    }
}

#[test]
fn fields_of_all_forms_learn_as_on_the_processor() {
    if device(0).is_none() {
        return;
    }
    for (name, setup) in setups() {
        check(name, &setup, Precision::F32, 0);
    }
}

#[test]
fn half_precision_is_close() {
    if device(0).is_none() {
        return;
    }
    for (name, setup) in setups() {
        check(name, &setup, Precision::F16, 1);
    }
}

/// A kernel that misses a barrier, or whose threads meddle with each other, gives other sums in another order.
#[test]
fn the_order_of_threads_does_not_matter() {
    if device(0).is_none() {
        return;
    }
    for (name, setup) in setups().into_iter().filter(|(name, _)| ["the usual one", "hollow"].contains(name)) {
        for order in [0, 1, 2, 3] {
            check(name, &setup, Precision::F32, order);
        }
    }
}

/// Tables are updated where there is a gradient or everywhere, and their moments are packed or not, in both precisions.
#[test]
fn every_update_of_tables_is_the_processors() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { width: 16, betas: [0.9, 0.99], ..Setup::default() };
    // Few samples, so that many entries have no gradient.
    let shots = [11, 12].map(|seed| Shots::new(seed, 1.0, [5; 6]).given(7));
    for (sparse_tables, packed_tables) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut spec = setup.spec();
        spec.optimizer = OptimizerSpec { sparse_tables, packed_tables, ..spec.optimizer };
        let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
        let start = twin(0, &spec, &cpu);
        let mut engines = [Precision::F32, Precision::F16]
            .map(|precision| twin(0, &FieldSpec { precision, ..spec.clone() }, &cpu));
        for given in &shots {
            cpu.step(&given.step(1e-2)).unwrap();
            for gpu in &mut engines {
                gpu.step(&given.step(1e-2)).unwrap();
            }
        }
        for table in &cpu.layout().handles.tables {
            let read = |engine: &dyn TrainEngine| engine.read(*table).unwrap();
            let before = read(&start);
            let moves = |engine| -> Vec<f64> {
                read(engine).iter().zip(&before).map(|(after, before)| f64::from(after - before)).collect()
            };
            let want = moves(&cpu);
            assert!(want.iter().any(|v| *v != 0.0) && want.contains(&0.0));
            for (gpu, tolerance) in engines.iter().zip([0.01, 0.1]) {
                let (got, named) = (moves(gpu), format!("sparse {sparse_tables}, packed {packed_tables}"));
                let off = difference(&got, &want);
                assert!(off < tolerance, "{named}: off by {off}");
                assert!(got.iter().zip(&want).all(|(got, want)| *got == 0.0 || *want != 0.0), "{named}");
            }
        }
    }
}

#[test]
fn what_kernels_cannot_run_is_refused_by_name() {
    if device(0).is_none() {
        return;
    }
    let open = |spec: &FieldSpec| {
        CudaEngine::new(Device::Cuda(0), spec, &options(Purpose::Train), device(0).unwrap())
            .err()
            .unwrap()
            .to_string()
    };
    let wide = Setup { width: 256, ..Setup::default() }.spec();
    for (spec, word) in [(wide, "--width 64"), (in_precision(&Setup::default(), Precision::Bf16), "f16")] {
        let error = open(&spec);
        assert!(error.contains("cuda:0") && error.contains(word), "{error}");
    }
}
