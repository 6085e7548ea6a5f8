#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{FdOptions, TestRng, close, finite_difference, narrow, widen};

/// Weights, ascending places and lengths of a ray.
fn ray(seed: u64, n: usize) -> [Vec<f32>; 3] {
    let mut rng = TestRng::new(seed);
    let ds = rng.uniforms(n, 0.01, 0.05);
    let s: Vec<f64> = ds.iter().scan(0.3, |s, ds| Some(std::mem::replace(s, *s + 1.5 * ds))).collect();
    [narrow(&rng.uniforms(n, 0.0, 2.0 / n.max(1) as f64)), narrow(&s), narrow(&ds)]
}

#[test]
fn the_references_gradients_match_differences() {
    let [w, s, ds] = ray(1, 9).map(|v| widen(&v));
    let gradient = reference::distortion_gradient(&w, &s, &ds);
    finite_difference(|w| reference::distortion(w, &s, &ds), &w, &gradient, FdOptions::default()).unwrap();
    let place = 0.42;
    let gradient: Vec<f64> = s.iter().map(|s| (s - place).abs()).collect();
    finite_difference(|w| reference::deviation(w, &s, place), &w, &gradient, FdOptions::default()).unwrap();
}

#[test]
fn one_pass_is_the_double_sum() {
    // The double sum of a long ray takes an interpreter a quarter of an hour.
    let lengths: &[usize] = if cfg!(miri) { &[1, 2, 3, 17] } else { &[1, 2, 3, 17, 200] };
    for &n in lengths {
        let [w, s, ds] = ray(n as u64, n);
        let [w64, s64, ds64] = [&w, &s, &ds].map(|v| widen(v));
        let mut d_w = vec![1.0; n];
        let loss = distortion(&w, &s, &ds, 0.5, &mut d_w);
        let want = reference::distortion(&w64, &s64, &ds64);
        assert!((f64::from(loss) / want - 1.0).abs() < 1e-5, "{n}: {loss} {want}");
        let want: Vec<f64> =
            reference::distortion_gradient(&w64, &s64, &ds64).iter().map(|d| 1.0 + 0.5 * d).collect();
        close(&d_w, &want, 1e-5, 1e-5).unwrap();
        let mut d_w = vec![1.0; n];
        let loss = deviation(&w, &s, 0.4, 2.0, &mut d_w);
        assert!((f64::from(loss) / reference::deviation(&w64, &s64, f64::from(0.4f32)) - 1.0).abs() < 1e-5);
        let want: Vec<f64> = s64.iter().map(|s| 1.0 + 2.0 * (s - f64::from(0.4f32)).abs()).collect();
        close(&d_w, &want, 1e-5, 1e-5).unwrap();
    }
    assert_eq!(distortion(&[], &[], &[], 1.0, &mut []), 0.0);
}

/// All weight in one short sample has next to no distortion; the same weight in two places has their distance.
#[test]
fn what_is_together_costs_nothing() {
    let (s, ds) = ([0.1, 0.6], [1e-6, 1e-6]);
    assert!(distortion(&[0.0, 1.0], &s, &ds, 1.0, &mut [0.0; 2]) < 1e-6);
    let apart = distortion(&[0.5, 0.5], &s, &ds, 1.0, &mut [0.0; 2]);
    assert!((apart - 0.25).abs() < 1e-5, "{apart}");
}

#[test]
fn the_scale_is_monotone_and_its_length_is_its_slope() {
    for (knee, longest) in [(f32::INFINITY, 1.7), (0.9, 7.0)] {
        let scale = DistanceScale::new(knee, longest);
        assert!((scale.at(longest) - 1.0).abs() < 1e-6 && scale.at(0.0) == 0.0);
        for i in 1..60 {
            let t = i as f32 * longest / 60.0;
            let slope = (scale.at(t + 1e-2) - scale.at(t - 1e-2)) / 2e-2;
            assert!(slope > 0.0 && (scale.length(t, 1.0) / slope - 1.0).abs() < 1e-2, "{knee} {t}");
        }
    }
}
