//! Densities and pictures.

use super::*;
use crate::ops::check::{bit_equal, close, widen};
use crate::ops::field_reference::RayOutput;

const TOLERANCE: f64 = 1e-5;

fn row(out: &RayOutput) -> [f64; 5] {
    let [r, g, b] = out.color;
    [r, g, b, out.depth, out.opacity]
}

fn render(engine: &mut CpuEngine, shots: &Shots, min_transmittance: f32) -> Vec<f32> {
    let mut out = vec![f32::NAN; shots.len() * 5];
    let given = shots.given(7);
    engine.render(&given.rays, given.source(), min_transmittance, &mut out).unwrap();
    out
}

#[test]
fn densities_are_the_references_on_every_path() {
    let mut rng = TestRng::new(1);
    for setup in
        [Setup::default(), Setup { min_transmittance: 0.5, density_layers: 2, width: 48, ..Setup::default() }]
    {
        for isa in Isa::available() {
            let mut engine = setup.engine(isa, 3);
            let oracle = setup.oracle(&engine);
            for n in [1, 15, CAPACITY, CAPACITY + 1] {
                let [x, y, z] =
                    [0; 3].map(|_| rng.uniforms(n, 0.0, 1.0)).map(|v| crate::ops::check::narrow(&v));
                let mut sigma = vec![f32::NAN; n];
                engine.density([&x, &y, &z], &mut sigma).unwrap();
                let want: Vec<f64> = (0..n)
                    .map(|i| oracle.query([x[i], y[i], z[i]].map(f64::from), [0.0, 0.0, 1.0]).0)
                    .collect();
                if let Err(e) = close(&sigma, &want, TOLERANCE, TOLERANCE) {
                    panic!("{isa:?} n = {n}: {e}");
                }
            }
        }
    }
}

/// More points than are held at a time: each has the density it has alone.
#[test]
fn many_densities_are_computed_in_batches() {
    let (mut rng, n) = (TestRng::new(2), 256 * CAPACITY + 700);
    let mut engine = Setup { width: 16, ..Setup::default() }.engine(Isa::best(), 2);
    let [x, y, z] = [0; 3].map(|_| (0..n).map(|_| rng.uniform(0.0, 1.0) as f32).collect::<Vec<f32>>());
    let mut all = vec![f32::NAN; n];
    engine.density([&x, &y, &z], &mut all).unwrap();
    for range in [0..70, 256 * CAPACITY - 70..256 * CAPACITY + 70, n - 70..n] {
        let mut part = vec![f32::NAN; range.len()];
        engine.density([&x[range.clone()], &y[range.clone()], &z[range.clone()]], &mut part).unwrap();
        bit_equal(&part, &all[range]).unwrap();
    }
}

/// Rays of all lengths, some longer than a tile: a picture has no limit on a ray's samples.
fn long_and_short() -> Vec<usize> {
    (0..40).map(|i| (i * 11) % 60).chain([CAPACITY, 700, 0, 1]).collect()
}

/// Whole rays whatever the rounds: the engine's own, or ones that the marcher cuts shorter.
#[test]
fn pictures_are_the_references_for_any_rounds() {
    for min_transmittance in [0.0, 0.02, 0.3] {
        let setup = Setup { min_transmittance, ..Setup::default() };
        for isa in Isa::available() {
            let mut engine = setup.engine(isa, 2);
            let mut shots = Shots::new(3, 1.0, long_and_short());
            let oracle = setup.oracle(&engine);
            let (_, _, want) = oracle.loss_and_gradients(&setup.all_samples(&shots));
            let want: Vec<f64> = want.iter().flat_map(row).collect();
            for stretch in [usize::MAX, 64, 9, 1] {
                shots.stretch = stretch;
                if let Err(e) =
                    close(&render(&mut engine, &shots, min_transmittance), &want, TOLERANCE, TOLERANCE)
                {
                    panic!("{isa:?}, min_transmittance {min_transmittance}, by {stretch}: {e}");
                }
            }
        }
    }
}

/// The training forward shows in its loss only; a picture's outputs must have the same one.
#[test]
fn a_picture_is_what_training_sees() {
    let setup = Setup { min_transmittance: 0.05, box_side: 2.0, ..Setup::default() };
    let shots = Shots::new(4, 2.0, (0..200).map(|i| i % 37));
    let mut engine = setup.engine(Isa::best(), 2);
    let out = render(&mut engine, &shots, setup.min_transmittance);
    let loss_of_shot = |(out, shot): (&[f32], &shots::Shot)| f64::from(loss_of(out, &shot.target));
    let loss = out.chunks_exact(5).zip(&shots.all).map(loss_of_shot).sum::<f64>() / 200.0;
    let stats = step(&mut engine, &shots, 0.0);
    assert!((stats.loss / loss - 1.0).abs() < 1e-6, "{} {loss}", stats.loss);
}

/// More rays than are rendered together: each looks as it does alone.
#[test]
fn many_rays_are_rendered_in_batches() {
    let setup = Setup { width: 16, min_transmittance: 0.1, ..Setup::default() };
    let mut engine = setup.engine(Isa::best(), 2);
    let shots = Shots::new(5, 1.0, (0..16_384 + 100).map(|i| i % 4));
    let all = render(&mut engine, &shots, 0.1);
    for range in [0..50, 16_384 - 50..16_384 + 50] {
        let some = Shots { all: shots.all[range.clone()].to_vec(), stretch: shots.stretch };
        let part = render(&mut engine, &some, 0.1);
        bit_equal(&part, &all[5 * range.start..5 * range.end]).unwrap();
    }
}

/// A limit of the picture alone ends rays between rounds: no more is lost than what still gets through.
#[test]
fn a_cut_in_the_picture_loses_no_more_than_it_says() {
    let mut engine = Setup::default().engine(Isa::best(), 2);
    let shots = Shots::new(6, 1.0, [300; 50]);
    let whole = render(&mut engine, &shots, 0.0);
    let short = render(&mut engine, &shots, 0.4);
    let mut shortened = 0;
    for (whole, short) in widen(&whole).chunks_exact(5).zip(widen(&short).chunks_exact(5)) {
        assert!(whole[4] - short[4] > -1e-6 && whole[4] - short[4] < 0.4);
        assert!(short[4] >= 0.6 || (whole[4] - short[4]).abs() < 1e-6, "{whole:?} {short:?}");
        shortened += usize::from(whole[4] > short[4] + 1e-3);
    }
    assert!(shortened > 0);
}
