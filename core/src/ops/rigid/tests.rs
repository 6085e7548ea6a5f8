#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{FdOptions, TestRng, close, finite_difference, narrow, widen};

/// Corrections of all sizes, from none to half a turn.
fn cases() -> Vec<([f64; 6], [f64; 3], [f64; 3])> {
    let mut rng = TestRng::new(5);
    let of_size = |size: f64| {
        let (axis, tau) = (rng.direction(), rng.normals(3, 0.1));
        let values = [0, 1, 2].map(|i| axis[i] * size);
        let [a, b, c] = values;
        ([a, b, c, tau[0], tau[1], tau[2]], rng.direction(), rng.direction())
    };
    [0.0, 1e-6, 1e-3, 9.9e-3, 1.01e-2, 0.02, 0.3, 1.0, 3.0].map(of_size).to_vec()
}

#[test]
fn the_references_gradient_matches_differences() {
    for (values, direction, worth) in cases() {
        let (d_origin, d_direction) = (worth, [worth[1], -2.0 * worth[2], 0.5]);
        let gradient = reference::backward(values, direction, d_origin, d_direction);
        let f = |v: &[f64]| {
            let (o, d) =
                reference::forward([v[0], v[1], v[2], v[3], v[4], v[5]], [0.4, -0.2, 0.9], direction);
            (0..3).map(|i| o[i] * d_origin[i] + d[i] * d_direction[i]).sum()
        };
        finite_difference(f, &values, &gradient, FdOptions::default()).unwrap();
    }
}

#[test]
fn corrected_rays_and_gradients_are_the_references() {
    for (values, direction, worth) in cases() {
        let (values, d) = (narrow(&values), narrow(&direction));
        let wide = widen(&values);
        let wide = [wide[0], wide[1], wide[2], wide[3], wide[4], wide[5]];
        let origin = [0.4f32, -0.2, 0.9];
        let (o, turned) = Correction::new(&values).apply((origin, [d[0], d[1], d[2]]));
        let direction = [0, 1, 2].map(|i| f64::from(d[i]));
        let (want_o, want_d) = reference::forward(wide, origin.map(f64::from), direction);
        close(&o, &want_o, 1e-6, 1e-6).unwrap();
        close(&turned, &want_d, 1e-6, 1e-6).unwrap();
        let want = reference::backward(wide, direction, [0.0; 3], worth);
        let moment = reference::cross(want_d, worth);
        close(&turn_gradient(&values, moment), &want[..3], 1e-9, 1e-9).unwrap();
    }
}

#[test]
fn no_correction_changes_no_bit() {
    let ray = ([0.1, 0.2, 0.3], [0.6, 0.0, 0.8]);
    assert_eq!(Correction::new(&[0.0; VALUES]).apply(ray), ray);
    assert_eq!(cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), [0.0, 0.0, 1.0]);
}
