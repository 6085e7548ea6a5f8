//! The formula, in f64.

use std::f64::consts::PI;

/// The encoding of a position.
pub fn forward(octaves: usize, x: [f64; 3]) -> Vec<f64> {
    let p = x.map(|x| 2.0 * x - 1.0);
    let mut out = p.to_vec();
    for k in 0..octaves {
        let angles = p.map(|p| 2f64.powi(k as i32) * PI * p);
        out.extend(angles.map(f64::sin));
        out.extend(angles.map(f64::cos));
    }
    out
}

/// The gradient of the position.
pub fn backward(octaves: usize, x: [f64; 3], d_out: &[f64]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let mut d = 2.0 * d_out[axis];
        for k in 0..octaves {
            let speed = 2f64.powi(k as i32 + 1) * PI;
            let angle = 2f64.powi(k as i32) * PI * (2.0 * x[axis] - 1.0);
            let at = 3 + 6 * k + axis;
            d += speed * (angle.cos() * d_out[at] - angle.sin() * d_out[at + 3]);
        }
        d
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, finite_difference};

    #[test]
    fn gradients_match_differences() {
        let mut rng = TestRng::new(1);
        for octaves in [0, 1, 4, 10] {
            let x = rng.uniforms(3, 0.0, 1.0);
            let d_out = rng.normals(super::super::outputs(octaves), 1.0);
            let loss = |x: &[f64]| {
                let out = forward(octaves, [x[0], x[1], x[2]]);
                out.iter().zip(&d_out).map(|(o, d)| o * d).sum()
            };
            let gradient = backward(octaves, [x[0], x[1], x[2]], &d_out);
            // A step must be short beside the finest wave, of half a thousandth.
            let options = FdOptions { eps: 1e-7, tolerance: 1e-5, ..FdOptions::default() };
            finite_difference(loss, &x, &gradient, options).unwrap();
        }
    }

    #[test]
    fn the_first_octave_is_half_a_turn_to_either_side() {
        let out = forward(1, [0.5, 0.75, 1.0]);
        let want = [0.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0];
        for (out, want) in out.iter().zip(want) {
            assert!((out - want).abs() < 1e-15, "{out} {want}");
        }
    }
}
