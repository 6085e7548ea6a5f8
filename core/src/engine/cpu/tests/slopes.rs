//! Slopes of densities against differences of the f64 field's.

use super::*;
use crate::ops::check::{bit_equal, close, narrow};

/// Slopes of the f64 field by central differences of `half` to either side, at these positions.
fn expected(setup: &Setup, engine: &CpuEngine, at: &[Vec<f32>; 3], half: f64) -> Vec<f64> {
    let oracle = setup.oracle(engine);
    let density = |p: [f64; 3]| oracle.query(p, [0.0, 0.0, 1.0]).0;
    let slope = |i: usize, axis: usize| {
        let end = |by: f64| {
            let mut p = [at[0][i], at[1][i], at[2][i]].map(f64::from);
            p[axis] += by;
            density(p)
        };
        (end(half) - end(-half)) / (2.0 * half)
    };
    (0..at[0].len()).flat_map(|i| (0..3).map(move |axis| (i, axis))).map(|(i, a)| slope(i, a)).collect()
}

fn positions(rng: &mut TestRng, n: usize) -> [Vec<f32>; 3] {
    [0; 3].map(|_| narrow(&rng.uniforms(n, 0.01, 0.99)))
}

#[test]
fn slopes_are_the_references_on_every_path() {
    let mut rng = TestRng::new(5);
    for setup in [
        Setup { size: 0.5, ..Setup::default() },
        Setup { size: 0.5, density_layers: 2, width: 48, pose: true, hidden: true, ..Setup::default() },
    ] {
        for isa in Isa::available() {
            let mut engine = setup.engine(isa, 3);
            assert!(engine.has_slopes());
            for n in [1, 15, CAPACITY + 1] {
                let at = positions(&mut rng, n);
                let [x, y, z] = &at;
                let (mut sigma, mut alone) = (vec![f32::NAN; n], vec![f32::NAN; n]);
                let mut slopes = vec![[f32::NAN; 3]; n];
                engine.density_slopes([x, y, z], &mut sigma, &mut slopes).unwrap();
                engine.density([x, y, z], &mut alone).unwrap();
                bit_equal(&sigma, &alone).unwrap();
                let want = expected(&setup, &engine, &at, 1e-7);
                let size = want.iter().fold(0.0f64, |size, w| size.max(w.abs()));
                assert!(size > 1e-2, "the field is flat");
                // A difference may span a face of a cell, or a corner of a ReLU, where there are two slopes.
                let differ = slopes.as_flattened().iter().zip(&want);
                let differ =
                    differ.filter(|(s, w)| (f64::from(**s) - **w).abs() > 1e-3 * size + 1e-3 * w.abs());
                assert!(differ.count() * 200 <= 3 * n, "{isa:?}: n = {n}");
            }
        }
    }
}

#[test]
fn behind_a_saliency_grid_slopes_are_differences() {
    let mut rng = TestRng::new(6);
    let setup = Setup { size: 0.5, saliency: Some(5), gate: Some(0.5), ..Setup::default() };
    let mut engine = setup.engine(Isa::best(), 2);
    engine.set_progress(1.0);
    assert!(!engine.has_slopes());
    let at = positions(&mut rng, 100);
    let [x, y, z] = &at;
    let (mut sigma, mut slopes) = (vec![f32::NAN; 100], vec![[f32::NAN; 3]; 100]);
    engine.density_slopes([x, y, z], &mut sigma, &mut slopes).unwrap();
    let want = expected(&setup, &engine, &at, 1.0 / 1024.0);
    let size = want.iter().fold(0.0f64, |size, w| size.max(w.abs()));
    close(slopes.as_flattened(), &want, 1e-2, 1e-3 * size).unwrap();
}

#[test]
fn slopes_and_densities_are_as_many_as_positions() {
    let mut engine = Setup::default().engine(Isa::best(), 1);
    let at = [0.5f32; 2];
    for (sigma, slopes) in [(1, 2), (2, 3)] {
        let (mut sigma, mut slopes) = (vec![0.0; sigma], vec![[0.0; 3]; slopes]);
        assert!(engine.density_slopes([&at, &at, &at], &mut sigma, &mut slopes).is_err());
    }
}
