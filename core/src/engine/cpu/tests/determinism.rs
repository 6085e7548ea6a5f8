//! Results depend on neither the number of threads nor on an interruption.

use super::*;
use crate::checkpoint::{Checkpoint, save};
use crate::ops::check::bit_equal;
use std::collections::BTreeMap;

fn trained() -> Setup {
    Setup { min_transmittance: 0.05, betas: [0.9, 0.99], average: Some(0.9), ..Setup::default() }
}

/// More tiles than gradient groups, rays of all lengths, some without samples.
fn batch(seed: u64) -> Shots {
    Shots::new(seed, 1.0, (0..1200).map(|i| (i * 13) % 41))
}

fn assert_same(a: &Params, b: &Params, what: &str) {
    assert_eq!(a.step, b.step);
    for (a_block, b_block) in a.blocks().iter().zip(b.blocks()) {
        let average =
            |p: &Params, b: &crate::params::Block| b.average.as_ref().unwrap().current(&b.weight, p.step);
        let (a_average, b_average) = (average(a, a_block), average(b, b_block));
        for (name, left, right) in [
            ("weight", &a_block.weight, &b_block.weight),
            ("m", &a_block.m, &b_block.m),
            ("v", &a_block.v, &b_block.v),
            ("average", &a_average, &b_average),
        ] {
            if let Err(e) = bit_equal(left, right) {
                panic!("{what}: {name} of {}: {e}", a_block.spec.name);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads| {
        let mut engine = trained().engine(Isa::best(), threads);
        let stats: Vec<StepStats> = (0..4).map(|seed| step(&mut engine, &batch(seed), 1e-2)).collect();
        (engine, stats)
    };
    let (one, expected) = run(1);
    assert!(expected[0].kept > 33 * CAPACITY, "{:?}", expected[0]);
    assert!(expected.iter().all(|s| s.kept < s.samples));
    for threads in [2, 3, 5] {
        let (many, stats) = run(threads);
        assert_same(&one.params, &many.params, &format!("{threads} threads"));
        for (a, b) in expected.iter().zip(&stats) {
            assert_eq!((a.loss.to_bits(), a.kept, a.hits), (b.loss.to_bits(), b.kept, b.hits));
        }
    }
}

#[test]
fn a_restored_engine_goes_on_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut straight = trained().engine(Isa::best(), 2);
    for seed in 0..3 {
        step(&mut straight, &batch(seed), 1e-2);
    }
    let state = straight.state().unwrap();
    let tensors: Vec<_> = state.iter().map(StateTensor::tensor).collect();
    save(&path, &BTreeMap::new(), &tensors).unwrap();
    let mut resumed = trained().engine(Isa::best(), 1);
    resumed.restore(&Checkpoint::load(&path).unwrap(), 3).unwrap();
    assert_same(&straight.params, &resumed.params, "restored");
    for seed in 3..6 {
        step(&mut straight, &batch(seed), 1e-2);
        step(&mut resumed, &batch(seed), 1e-2);
    }
    assert_same(&straight.params, &resumed.params, "three steps later");
}

/// Looking (densities, pictures) between steps changes nothing.
#[test]
fn inference_between_steps_leaves_training_alone() {
    let (mut plain, mut watched) = (trained().engine(Isa::best(), 2), trained().engine(Isa::best(), 2));
    let pictures = Shots::new(50, 1.0, [700, 3, 0, 90]);
    for seed in 0..3 {
        step(&mut plain, &batch(seed), 1e-2);
        step(&mut watched, &batch(seed), 1e-2);
        let x = [0.3f32; 1300];
        watched.density([&x, &x, &x], &mut [0.0; 1300]).unwrap();
        let given = pictures.given(7);
        watched.render(&given.rays, given.source(), 0.0, &mut [0.0; 20]).unwrap();
    }
    assert_same(&plain.params, &watched.params, "watched");
}

/// Adam turns rounding noise in tiny gradients into whole steps, so weights part; what is learned does not.
#[test]
fn all_instruction_sets_learn_alike() {
    let run = |isa| {
        let mut engine = trained().engine(isa, 2);
        (0..25).map(|_| step(&mut engine, &batch(7), 1e-2).loss).collect::<Vec<f64>>()
    };
    let scalar = run(Isa::Scalar);
    assert!(scalar[24] < 0.7 * scalar[0], "{scalar:?}");
    for isa in Isa::available() {
        for (a, b) in run(isa).iter().zip(&scalar) {
            assert!((a / b - 1.0).abs() < 5e-3, "{isa:?}: {a} {b}");
        }
    }
}
