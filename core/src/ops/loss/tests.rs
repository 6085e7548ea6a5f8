#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, close, narrow};

/// The reference's penalties, but for the factor with which Huber's continues the square.
#[test]
fn photometric_losses_are_the_references() {
    let mut rng = TestRng::new(3);
    let huber = reference::Penalty::Huber { delta: f64::from(HUBER_DELTA) };
    for (penalty, wanted, factor) in
        [(Penalty::Mse, reference::Penalty::Mse, 1.0), (Penalty::Huber, huber, 2.0)]
    {
        for _ in 0..50 {
            let v = narrow(&rng.uniforms(4 + PIXEL, 0.0, 1.0));
            let [r, g, b, opacity, x, y, z, a, p, q, s] = std::array::from_fn(|i| f64::from(v[i]));
            let ray = reference::RenderedRay {
                value: [r, g, b],
                opacity,
                target: [x, y, z, a],
                background: [p, q, s],
            };
            let (want, gradient) = reference::evaluate(wanted, &[ray]);
            let (mut d_color, mut d_opacity) = ([7.0; 3], 0.0);
            let loss = photometric(penalty, &v[..3], v[3], &v[4..], &mut d_color, &mut d_opacity);
            assert!((f64::from(loss) - factor * want).abs() < 1e-6, "{loss} {want}");
            let want: Vec<f64> = gradient[0].value.iter().map(|d| factor * d).collect();
            close(&d_color, &want, 1e-5, 1e-5).unwrap();
            assert!((f64::from(d_opacity) - factor * gradient[0].opacity).abs() < 1e-6);
        }
    }
}

#[test]
fn gradients_match_differences() {
    for penalty in [Penalty::Mse, Penalty::Huber, Penalty::L1] {
        let target = [0.2, 0.9, 0.4, 0.7, 0.1, 0.8, 0.3];
        let out = [0.25, 0.1, 0.3, 0.6];
        let (mut d, mut d_opacity) = ([0.0; 3], 0.0);
        photometric(penalty, &out[..3], out[3], &target, &mut d, &mut d_opacity);
        let analytic = [d[0], d[1], d[2], d_opacity];
        let mut d_channels = [0.0; 4];
        channels(penalty, &out, &target[..4], &mut d_channels);
        for i in 0..4 {
            let at = |h: f32| {
                let mut moved = out;
                moved[i] += h;
                let color = photometric(penalty, &moved[..3], moved[3], &target, &mut [0.0; 3], &mut 0.0);
                [color, channels(penalty, &moved, &target[..4], &mut [0.0; 4])]
            };
            let [color, plain] = [0, 1].map(|which| (at(1e-3)[which] - at(-1e-3)[which]) / 2e-3);
            assert!((analytic[i] - color).abs() < 1e-3, "{penalty:?} {i}: {} {color}", analytic[i]);
            assert!((d_channels[i] - plain).abs() < 1e-3, "{penalty:?} {i}: {} {plain}", d_channels[i]);
        }
    }
}

#[test]
fn a_transparent_ray_on_a_transparent_pixel_costs_nothing() {
    let target = [0.5, 0.5, 0.5, 0.0, 0.2, 0.4, 0.6];
    assert_eq!(photometric(Penalty::Mse, &[0.0; 3], 0.0, &target, &mut [0.0; 3], &mut 0.0), 0.0);
}
