//! What is learned about cameras, and what holds a ray's weights together: the reference's gradients, the same bits.

use super::gradients::{check, shots};
use super::*;
use crate::ops::check::bit_equal;

#[test]
fn poses_have_right_gradients() {
    let base = Setup { pose: true, ..Setup::default() };
    for isa in Isa::available() {
        check(&base, shots(80, 1.0), isa);
    }
    let grid = HashGridConfig { levels: 5, features: 4, ..base.grid.clone() };
    let setups = [
        Setup { min_transmittance: 0.3, ..base.clone() },
        // Samples are dropped on the way, by the density stage.
        Setup { min_transmittance: 0.3, rounds: false, ..base.clone() },
        Setup { harmonics: 9, box_side: 2.0, ..base.clone() },
        Setup { grid, hidden: true, ..base.clone() },
    ];
    for (setup, seed) in setups.iter().zip(81..) {
        check(setup, shots(seed, setup.box_side), Isa::best());
    }
}

#[test]
fn colors_have_right_gradients() {
    let base = Setup { colors: true, ..Setup::default() };
    for setup in [base.clone(), Setup { min_transmittance: 0.2, pose: true, ..base }] {
        check(&setup, shots(85, 1.0), Isa::best());
    }
}

#[test]
fn spread_has_right_gradients() {
    for (seed, spread) in [(90, [0.5, 0.0]), (91, [0.0, 0.7]), (92, [0.3, 0.4])] {
        for isa in Isa::available() {
            check(&Setup { spread, min_transmittance: 0.1, ..Setup::default() }, shots(seed, 1.0), isa);
        }
    }
    let all = Setup { spread: [0.3, 0.4], pose: true, colors: true, saliency: Some(8), ..Setup::default() };
    check(&Setup { pose: false, ..all.clone() }, shots(93, 1.0), Isa::best());
    check(&Setup { saliency: None, box_side: 2.0, ..all }, shots(94, 2.0), Isa::best());
}

fn everything() -> Setup {
    let spread = [0.3, 0.4];
    Setup {
        min_transmittance: 0.05,
        betas: [0.9, 0.99],
        pose: true,
        colors: true,
        spread,
        ..Setup::default()
    }
}

/// More tiles than groups, on any number of threads.
#[test]
fn any_number_of_threads_gives_the_same_cameras() {
    let run = |threads| {
        let mut engine = everything().engine(Isa::best(), threads);
        for seed in 0..3 {
            step(&mut engine, &Shots::new(seed, 1.0, (0..900).map(|i| (i * 13) % 41)), 1e-2);
        }
        engine
    };
    let one = run(1);
    for threads in [2, 3] {
        let many = run(threads);
        for (a, b) in one.params.blocks().iter().zip(many.params.blocks()) {
            bit_equal(&a.weight, &b.weight).unwrap();
            bit_equal(&a.m, &b.m).unwrap();
        }
    }
}

/// Tracing gives what a step would learn from, and teaches nothing.
#[test]
fn tracing_gives_the_poses_gradient_and_moves_nothing() {
    let setup = Setup { pose: true, ..Setup::default() };
    let shots = shots(95, 1.0);
    let mut engine = setup.engine(Isa::best(), 2);
    let before: Vec<Vec<f32>> = engine.params.blocks().iter().map(|b| b.weight.to_vec()).collect();
    let given = shots.given(7);
    let input = given.step(1e-2);
    let mut sums = [[1.0; 6]; CAMERAS];
    let traced = engine.trace(&input, &mut sums).unwrap();
    for (block, before) in engine.params.blocks().iter().zip(&before) {
        bit_equal(&block.weight, before).unwrap();
    }
    assert_eq!(engine.step_count(), 0);
    let stats = engine.step(&Step { rate: 0.0, ..input }).unwrap();
    assert_eq!((traced.loss.to_bits(), traced.kept), (stats.loss.to_bits(), stats.kept));
    let block = &engine.params.blocks()[engine.layout.handles.poses.unwrap().index()];
    for (camera, sums) in sums.iter().enumerate() {
        let turned =
            crate::ops::rigid::turn_gradient(&block.weight[6 * camera..], [sums[0], sums[1], sums[2]]);
        let want: Vec<f32> = turned.iter().chain(&sums[3..]).map(|g| *g as f32).collect();
        bit_equal(&block.m[6 * camera..6 * camera + 6], &want).unwrap();
    }
}

/// Poses that hear of coarse levels alone go another way; the field learns as if nothing were different.
#[test]
fn poses_can_hear_of_coarse_levels_alone() {
    let setup = Setup { pose: true, ..Setup::default() };
    let shots = shots(96, 1.0);
    let run = |pose_levels| {
        let mut engine = setup.engine(Isa::best(), 2);
        let given = shots.given(7);
        engine.step(&Step { progress: 0.0, pose_levels, ..given.step(1e-2) }).unwrap();
        engine
    };
    let (all, coarse) = (run(usize::MAX), run(2));
    for (a, b) in all.params.blocks().iter().zip(coarse.params.blocks()) {
        assert_eq!(a.spec.name != "cameras.poses", a.m == b.m, "{}", a.spec.name);
        assert!(b.m.iter().any(|m| *m != 0.0), "{} learns", a.spec.name);
    }
}
