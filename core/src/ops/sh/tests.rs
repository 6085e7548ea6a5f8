#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, close, narrow, widen};

#[test]
fn all_degrees_are_prefixes_of_the_reference() {
    let mut rng = TestRng::new(1);
    let axes = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];
    for d in (0..200).map(|_| rng.direction()).chain(axes) {
        let d = narrow(&d);
        let want = reference::forward(widen(&d).try_into().unwrap());
        for n in [1, 4, 9, 16] {
            let mut out = vec![f32::NAN; n];
            encode([d[0], d[1], d[2]], &mut out);
            close(&out, &want[..n], 1e-6, 1e-6).unwrap();
        }
    }
}

#[test]
fn what_lies_behind_the_coefficients_is_left_alone() {
    let mut out = [7.0; COEFFICIENTS + 2];
    encode([0.6, 0.0, 0.8], &mut out);
    assert!(out[..COEFFICIENTS].iter().all(|v| *v != 7.0));
    assert_eq!(out[COEFFICIENTS..], [7.0; 2]);
}

#[test]
fn the_directions_gradient_is_the_references() {
    let mut rng = TestRng::new(2);
    for _ in 0..50 {
        let d = narrow(&rng.direction());
        for n in [1, 4, 9, 16] {
            let d_out = narrow(&rng.normals(n, 1.0));
            let want = reference::backward(widen(&d).try_into().unwrap(), &widen(&d_out));
            close(&backward([d[0], d[1], d[2]], &d_out), &want, 1e-5, 1e-5).unwrap();
        }
    }
}
