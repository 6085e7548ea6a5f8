//! One step's loss, counts and gradients are the reference's.

use super::*;
use crate::ops::check::{close, widen};
use crate::ops::saliency::reference as saliency;

/// f32 against f64 through the whole field and back, relative to a block's gradient.
const TOLERANCE: f64 = 3e-5;

/// Takes one step that moves nothing and compares all that it leaves behind.
pub(super) fn check(setup: &Setup, mut shots: Shots, isa: Isa) -> StepStats {
    let mut engine = setup.engine(isa, 2);
    let oracle = setup.oracle(&engine);
    setup.steer_clear(&oracle, &mut shots);
    let samples = setup.samples(&shots);
    let (loss, gradients, outputs) = oracle.loss_and_gradients(&samples);
    let want = setup.blocks(gradients, &samples, &engine);
    let stats = step(&mut engine, &shots, 0.0);
    let spread: f64 = setup.spread.iter().zip(stats.spread).map(|(weight, s)| f64::from(*weight) * s).sum();
    let got = stats.loss + spread;
    assert!((got / loss - 1.0).abs() < 1e-5, "{isa:?} {setup:?}: loss {got} {loss}");
    assert_eq!(stats.rays, shots.len());
    assert_eq!(stats.hits, shots.all.iter().filter(|s| !s.samples.t.is_empty()).count());
    assert_eq!(stats.kept, outputs.iter().map(|o| o.live_samples).sum::<usize>());
    let all: usize = shots.all.iter().map(|s| s.samples.t.len().min(CAPACITY)).sum();
    if setup.rounds && setup.min_transmittance > 0.0 {
        // What lies behind a surface is encoded to the end of the round that finds it, at most.
        assert!((stats.kept..=all).contains(&stats.samples), "{stats:?} of {all}");
    } else {
        assert_eq!(stats.samples, all);
    }
    for (block, want) in engine.params.blocks().iter().zip(want) {
        if let Err(e) = close(&block.m, &want, TOLERANCE, TOLERANCE) {
            panic!("{isa:?} {setup:?} {}: {e}", block.spec.name);
        }
        // v is the square: the update saw the gradient once.
        let square: Vec<f64> =
            block.m.iter().map(|g| f64::from(1.0 - 0.99f32) * f64::from(*g).powi(2)).collect();
        close(&block.v, &square, 1e-5, 1e-5).unwrap();
    }
    stats
}

/// Rays without samples, with few and with many; more than one tile.
pub(super) fn shots(seed: u64, side: f32) -> Shots {
    Shots::new(seed, side, (0..60).map(|i| (i * 7) % 23))
}

#[test]
fn every_gradient_is_the_references_on_every_path() {
    for isa in Isa::available() {
        let stats = check(&Setup::default(), shots(1, 1.0), isa);
        assert!(stats.samples > CAPACITY && stats.hits < stats.rays);
    }
}

#[test]
fn samples_behind_a_surface_are_dropped_as_in_the_reference() {
    for isa in Isa::available() {
        for (seed, min_transmittance) in [(2, 0.2), (3, 0.5), (4, 0.9)] {
            for rounds in [true, false] {
                let stats =
                    check(&Setup { min_transmittance, rounds, ..Setup::default() }, shots(seed, 1.0), isa);
                assert!(stats.kept < stats.samples && stats.kept >= stats.hits, "{stats:?}");
            }
        }
    }
}

#[test]
fn two_hidden_layers_keep_their_rows_when_samples_are_dropped() {
    for rounds in [true, false] {
        let setup =
            Setup { min_transmittance: 0.4, rounds, density_layers: 2, color_layers: 3, ..Setup::default() };
        check(&setup, shots(5, 1.0), Isa::best());
    }
}

#[test]
fn odd_extents_have_right_gradients() {
    let base = Setup { min_transmittance: 0.1, ..Setup::default() };
    let grid = |levels, features| HashGridConfig { levels, features, ..base.grid.clone() };
    let setups = [
        Setup { width: 32, geometry: 15, ..base.clone() },
        Setup { width: 48, density_layers: 2, color_layers: 1, ..base.clone() },
        Setup { width: 128, grid: grid(3, 2), ..base.clone() },
        Setup { grid: grid(5, 4), geometry: 8, ..base.clone() },
        Setup { grid: grid(3, 1), geometry: 1, width: 40, ..base.clone() },
        Setup { grid: grid(2, 8), box_side: 4.0, ..base.clone() },
        Setup { sparse: false, box_side: 2.0, ..base.clone() },
    ];
    for (setup, seed) in setups.iter().zip(10..) {
        check(setup, shots(seed, setup.box_side), Isa::best());
    }
    check(&setups[1], shots(11, 1.0), Isa::Scalar);
}

#[test]
fn fewer_harmonics_have_right_gradients() {
    for (harmonics, geometry) in [(1, 16), (4, 15), (9, 16), (9, 7)] {
        let setup = Setup { harmonics, geometry, min_transmittance: 0.1, ..Setup::default() };
        check(&setup, shots(20, 1.0), Isa::best());
    }
}

#[test]
fn rays_that_fill_a_tile_are_whole() {
    // The third has more samples than a tile: its first 512 count.
    let counts = [CAPACITY, CAPACITY - 1, CAPACITY + 100, 1, 2, CAPACITY];
    for min_transmittance in [0.0, 1e-6, 0.3] {
        check(&Setup { min_transmittance, ..Setup::default() }, Shots::new(30, 1.0, counts), Isa::best());
    }
}

#[test]
fn more_tiles_than_groups_have_right_gradients() {
    let setup = Setup { width: 16, ..Setup::default() };
    let stats = check(&setup, Shots::new(31, 1.0, [300; 70]), Isa::best());
    assert!(stats.samples > 40 * CAPACITY);
}

/// Rows whose norms lie on the gate's slope as well as open ones; closed and open cells.
#[test]
fn hollow_fields_have_right_gradients() {
    let hollow = Setup { saliency: Some(8), gate: Some(1.0), size: 0.2, ..Setup::default() };
    for isa in Isa::available() {
        check(&hollow, shots(60, 1.0), isa);
    }
    for (min_transmittance, rounds) in [(0.2, true), (0.2, false), (0.6, true)] {
        check(&Setup { min_transmittance, rounds, ..hollow.clone() }, shots(61, 1.0), Isa::best());
    }
    let grid = HashGridConfig { levels: 5, features: 4, ..hollow.grid.clone() };
    let setups = [
        Setup { gate: None, ..hollow.clone() },
        Setup { saliency: None, min_transmittance: 0.3, ..hollow.clone() },
        Setup { grid, saliency: Some(12), box_side: 2.0, ..hollow.clone() },
        Setup { gate: Some(1e3), ..hollow.clone() },
        Setup { hidden: true, density_layers: 2, min_transmittance: 0.2, ..hollow.clone() },
        Setup { hidden: true, ..Setup::default() },
    ];
    for (setup, seed) in setups.iter().zip(62..) {
        check(setup, shots(seed, setup.box_side), Isa::best());
    }
}

/// What prunes adds the same slope, times `p (1 - p)`, to every logit's gradient; without it the grid rests.
#[test]
fn pruning_pulls_at_every_logit() {
    let setup = Setup { saliency: Some(8), gate: Some(1.0), ..Setup::default() };
    let after = |pruning| {
        let mut engine = setup.engine(Isa::best(), 2);
        let given = shots(70, 1.0).given(7);
        let start = engine.params.blocks().last().unwrap().weight.to_vec();
        let stats = engine.step(&Step { pruning, ..given.step(1e-3) }).unwrap();
        let block = engine.params.blocks().last().unwrap();
        let mean = saliency::mean(&widen(&block.weight));
        assert!((stats.saliency / mean - 1.0).abs() < 1e-6);
        (start, block.m.to_vec(), block.weight.to_vec())
    };
    let (start, free, moved) = after(Some(0.0));
    let (_, pulled, _) = after(Some(0.5));
    let slope = |g: &f32| 0.5 * saliency::sigmoid(f64::from(*g)) * saliency::sigmoid(-f64::from(*g));
    let want: Vec<f64> = start.iter().zip(&free).map(|(g, m)| f64::from(*m) + slope(g)).collect();
    close(&pulled, &want, 1e-6, 1e-6).unwrap();
    assert_ne!(start, moved);
    let (_, resting, same) = after(None);
    assert_eq!((same, resting.iter().all(|m| *m == 0.0)), (start, true));
}

/// Every table, every row and every column of every matrix learns something.
#[test]
fn the_gradient_reaches_every_parameter() {
    for (min_transmittance, saliency, learns) in [(0.0, None, true), (0.1, None, false), (0.1, Some(4), true)]
    {
        let gate = saliency.map(|_| 10.0);
        // Poses are not found through a saliency grid.
        let pose = learns && saliency.is_none();
        let setup = Setup { min_transmittance, saliency, gate, pose, colors: learns, ..Setup::default() };
        let mut engine = setup.engine(Isa::best(), 2);
        step(&mut engine, &shots(40, 1.0), 0.0);
        for block in engine.params.blocks() {
            let (name, columns) = (&block.spec.name, block.spec.shape[1]);
            if name.starts_with("grid") || name == "saliency" {
                let touched = block.m.iter().filter(|g| **g != 0.0).count();
                assert!(touched * 4 > block.m.len(), "{name}: {touched} of {}", block.m.len());
                continue;
            }
            for (o, row) in block.m.chunks_exact(columns).enumerate() {
                assert!(row.iter().any(|g| *g != 0.0), "{name}: row {o} is not reached");
            }
            for i in 0..columns {
                assert!(block.m.iter().skip(i).step_by(columns).any(|g| *g != 0.0), "{name}: column {i}");
            }
        }
    }
}

/// Marching in rounds saves encodings; the samples that count, and what is learned from them, are the same.
#[test]
fn rounds_change_nothing_but_the_work() {
    let shots = Shots::new(50, 1.0, (0..90).map(|i| (i * 31) % 400));
    for min_transmittance in [1e-4, 0.1, 0.5] {
        let run = |rounds| {
            let mut engine =
                Setup { min_transmittance, rounds, width: 32, ..Setup::default() }.engine(Isa::best(), 2);
            let stats = step(&mut engine, &shots, 0.0);
            (engine, stats)
        };
        let ((a, in_rounds), (b, at_once)) = (run(true), run(false));
        assert_eq!((in_rounds.kept, in_rounds.hits), (at_once.kept, at_once.hits));
        assert!(min_transmittance < 0.1 || in_rounds.samples < at_once.samples, "{in_rounds:?} {at_once:?}");
        for (a, b) in a.params.blocks().iter().zip(b.params.blocks()) {
            // Tiles are packed differently, so sums are associated differently.
            close(&a.m, &widen(&b.m), 1e-6, 1e-5).unwrap();
        }
    }
}
