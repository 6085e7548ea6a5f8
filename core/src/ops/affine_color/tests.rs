#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{FdOptions, TestRng, close, finite_difference, narrow, widen};

#[test]
fn the_references_gradients_match_differences() {
    let mut rng = TestRng::new(8);
    let x = rng.normals(VALUES + 4, 0.4);
    let d = [0.7, -1.3, 0.4];
    let split = |x: &[f64]| {
        let code: [f64; VALUES] = x[..VALUES].try_into().unwrap();
        (code, [x[12], x[13], x[14]], x[15])
    };
    let (code, color, opacity) = split(&x);
    let (d_code, d_color, d_opacity) = reference::backward(&code, color, opacity, d);
    let gradient = [&d_code[..], &d_color, &[d_opacity]].concat();
    let f = |x: &[f64]| {
        let (code, color, opacity) = split(x);
        reference::forward(&code, color, opacity).iter().zip(d).map(|(a, b)| a * b).sum()
    };
    finite_difference(f, &x, &gradient, FdOptions::default()).unwrap();
}

#[test]
fn the_fast_path_is_the_reference() {
    let mut rng = TestRng::new(9);
    for _ in 0..20 {
        let x = narrow(&rng.normals(VALUES + 7, 0.4));
        let code: [f32; VALUES] = x[..VALUES].try_into().unwrap();
        let (color, opacity, d) = ([x[12], x[13], x[14]], x[15], [x[16], x[17], x[18]]);
        let wide: [f64; VALUES] = widen(&code).try_into().unwrap();
        let want = reference::forward(&wide, color.map(f64::from), opacity.into());
        close(&forward(&code, color, opacity), &want, 1e-6, 1e-6).unwrap();
        let mut d_code = [0.5; VALUES];
        let (d_color, d_opacity) = backward(&code, color, opacity, d, &mut d_code);
        let want = reference::backward(&wide, color.map(f64::from), opacity.into(), d.map(f64::from));
        let added: Vec<f64> = want.0.iter().map(|d| d + 0.5).collect();
        close(&d_code, &added, 1e-6, 1e-6).unwrap();
        close(&d_color, &want.1, 1e-6, 1e-6).unwrap();
        assert!((f64::from(d_opacity) - want.2).abs() < 1e-6);
    }
}

#[test]
fn no_code_changes_no_bit() {
    let color = [0.1, 0.7, 0.3];
    assert_eq!(forward(&[0.0; VALUES], color, 0.9), color);
}
