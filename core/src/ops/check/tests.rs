#![allow(clippy::unwrap_used)]
use super::*;

fn cubic(x: &[f64]) -> f64 {
    x.iter().enumerate().map(|(i, v)| (i + 1) as f64 * v.powi(3) + v.sin()).sum()
}

fn cubic_gradient(x: &[f64]) -> Vec<f64> {
    x.iter().enumerate().map(|(i, v)| 3.0 * (i + 1) as f64 * v * v + v.cos()).collect()
}

#[test]
fn a_right_gradient_passes_and_a_wrong_one_is_named() {
    let x = TestRng::new(1).normals(40, 2.0);
    let mut gradient = cubic_gradient(&x);
    finite_difference(cubic, &x, &gradient, FdOptions::default()).unwrap();
    gradient[17] *= 1.0 + 1e-4;
    let error = finite_difference(cubic, &x, &gradient, FdOptions::default()).unwrap_err();
    assert!(matches!(error, Failure::Gradient { index: 17, .. }), "{error}");
}

#[test]
fn a_missing_gradient_a_nan_and_a_wrong_length_fail() {
    let x = [0.3, -1.2];
    assert!(finite_difference(cubic, &x, &[0.0, 0.0], FdOptions::default()).is_err());
    assert!(finite_difference(cubic, &x, &[f64::NAN, 0.0], FdOptions::default()).is_err());
    assert!(finite_difference(|_| f64::NAN, &x, &cubic_gradient(&x), FdOptions::default()).is_err());
    let short = finite_difference(cubic, &x, &[0.0], FdOptions::default());
    assert_eq!(short, Err(Mismatch::Length { left: 2, right: 1 }.into()));
    assert_eq!(finite_difference(cubic, &[], &[], FdOptions::default()), Err(Mismatch::Empty.into()));
}

#[test]
fn a_limit_checks_that_many_distinct_coordinates() {
    let picked = choose(1000, 50);
    let distinct: std::collections::HashSet<_> = picked.iter().collect();
    assert_eq!((picked.len(), distinct.len()), (50, 50));
    let x = TestRng::new(2).normals(1000, 1.0);
    let mut calls = 0;
    let count = |x: &[f64]| {
        calls += 1;
        cubic(x)
    };
    let options = FdOptions { limit: Some(50), scale: Some(100.0), ..FdOptions::default() };
    finite_difference(count, &x, &cubic_gradient(&x), options).unwrap();
    assert_eq!(calls, 200);
    let none = FdOptions { limit: Some(0), ..FdOptions::default() };
    assert_eq!(finite_difference(cubic, &x, &cubic_gradient(&x), none), Err(Mismatch::Empty.into()));
}

#[test]
fn bit_equal_sees_one_bit() {
    let a = [1.0f32, f32::NAN, 0.0];
    bit_equal(&a, &a).unwrap();
    assert!(bit_equal(&a, &[1.0, f32::NAN, -0.0]).is_err());
    let next = f32::from_bits(1.0f32.to_bits() + 1);
    let error = bit_equal(&a, &[next, f32::NAN, 0.5]).unwrap_err();
    assert_eq!(error, Failure::Bits { index: 0, count: 2, left: 1.0, right: next });
}

#[test]
fn test_data_is_fixed_and_has_the_stated_moments() {
    // First outputs of the published SplitMix64 for seed 1234567.
    let mut rng = TestRng::new(1234567);
    assert_eq!(rng.next_u64(), 6457827717110365317);
    assert_eq!(rng.next_u64(), 3203168211198807973);
    let mut rng = TestRng::new(3);
    let sample = rng.normals(20_000, 2.0);
    let mean = sample.iter().sum::<f64>() / 2e4;
    let variance = sample.iter().map(|v| v * v).sum::<f64>() / 2e4;
    assert!(mean.abs() < 0.06 && (variance - 4.0).abs() < 0.2, "{mean} {variance}");
    let uniform = rng.uniforms(10_000, -1.0, 3.0);
    assert!(uniform.iter().all(|u| (-1.0..3.0).contains(u)));
    assert!((uniform.iter().sum::<f64>() / 1e4 - 1.0).abs() < 0.06);
    let d = rng.direction();
    assert!((d.iter().map(|c| c * c).sum::<f64>() - 1.0).abs() < 1e-12);
}
