//! Lens distortion models, forward: from ideal to observed normalised image coordinates.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a lens bends the ideal image, in OpenCV's axes (`x` right, `y` down, in focal lengths from the
/// principal point).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Distortion {
    /// An ideal pinhole.
    #[default]
    None,
    /// OpenCV's radial-tangential model. With `r^2 = x^2 + y^2` and `g = 1 + k1 r^2 + k2 r^4 + k3 r^6`:
    ///
    /// `x' = x g + 2 p1 x y + p2 (r^2 + 2 x^2)`, `y' = y g + p1 (r^2 + 2 y^2) + 2 p2 x y`.
    OpenCv {
        /// Radial, second order.
        k1: f64,
        /// Radial, fourth order.
        k2: f64,
        /// Radial, sixth order.
        k3: f64,
        /// Tangential.
        p1: f64,
        /// Tangential.
        p2: f64,
    },
    /// OpenCV's fisheye (Kannala-Brandt): a ray at angle `t` from the axis is seen at radius
    /// `t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)`.
    Fisheye {
        /// Second order.
        k1: f64,
        /// Fourth order.
        k2: f64,
        /// Sixth order.
        k3: f64,
        /// Eighth order.
        k4: f64,
    },
}

impl Distortion {
    /// Whether the image is exactly a pinhole's (also if all coefficients of the OpenCV model are zero).
    pub fn is_none(&self) -> bool {
        match *self {
            Self::None => true,
            Self::OpenCv { k1, k2, k3, p1, p2 } => [k1, k2, k3, p1, p2].iter().all(|&k| k == 0.0),
            Self::Fisheye { .. } => false,
        }
    }

    /// Whether all coefficients are finite.
    pub fn is_finite(&self) -> bool {
        match *self {
            Self::None => true,
            Self::OpenCv { k1, k2, k3, p1, p2 } => [k1, k2, k3, p1, p2].iter().all(|k| k.is_finite()),
            Self::Fisheye { k1, k2, k3, k4 } => [k1, k2, k3, k4].iter().all(|k| k.is_finite()),
        }
    }
}

impl fmt::Display for Distortion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no distortion"),
            Self::OpenCv { k1, k2, k3, p1, p2 } => {
                write!(f, "OpenCV distortion k {k1} {k2} {k3} p {p1} {p2}")
            }
            Self::Fisheye { k1, k2, k3, k4 } => write!(f, "OpenCV fisheye k {k1} {k2} {k3} {k4}"),
        }
    }
}

/// The radial-tangential model at one point, with its analytic Jacobian.
#[derive(Clone, Copy)]
pub(super) struct Distorted {
    /// `x'`, `y'`.
    pub at: [f64; 2],
    /// `[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]`.
    pub jacobian: [[f64; 2]; 2],
}

/// Evaluates [`Distortion::OpenCv`]; `k` is `[k1, k2, k3]`, `p` is `[p1, p2]`.
pub(super) fn radial_tangential(k: &[f64; 3], p: &[f64; 2], x: f64, y: f64) -> Distorted {
    let r2 = x * x + y * y;
    let gain = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[2]));
    // d gain / d r^2, so that d gain / dx = 2 x slope.
    let slope = k[0] + r2 * (2.0 * k[1] + r2 * 3.0 * k[2]);
    let cross = 2.0 * (x * y * slope + p[0] * x + p[1] * y);
    Distorted {
        at: [
            x * gain + 2.0 * p[0] * x * y + p[1] * (r2 + 2.0 * x * x),
            y * gain + p[0] * (r2 + 2.0 * y * y) + 2.0 * p[1] * x * y,
        ],
        jacobian: [
            [gain + 2.0 * x * x * slope + 2.0 * p[0] * y + 6.0 * p[1] * x, cross],
            [cross, gain + 2.0 * y * y * slope + 6.0 * p[0] * y + 2.0 * p[1] * x],
        ],
    }
}

/// Evaluates [`Distortion::Fisheye`]: the image radius at angle `t` and its derivative.
pub(super) fn fisheye(k: &[f64; 4], t: f64) -> (f64, f64) {
    let s = t * t;
    let gain = 1.0 + s * (k[0] + s * (k[1] + s * (k[2] + s * k[3])));
    let derivative = 1.0 + s * (3.0 * k[0] + s * (5.0 * k[1] + s * (7.0 * k[2] + s * 9.0 * k[3])));
    (t * gain, derivative)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_opencv_by_hand() {
        // x = 0.5, y = -0.25: r2 = 0.3125, gain = 1 + 0.1 r2 + 0.01 r2^2 + 0.001 r2^3.
        let gain = 1.0 + 0.03125 + 0.0009765625 + 0.000030517578125;
        let d = radial_tangential(&[0.1, 0.01, 0.001], &[0.02, 0.03], 0.5, -0.25);
        assert!((d.at[0] - (0.5 * gain + 2.0 * 0.02 * -0.125 + 0.03 * (0.3125 + 0.5))).abs() < 1e-15);
        assert!((d.at[1] - (-0.25 * gain + 0.02 * (0.3125 + 0.125) + 2.0 * 0.03 * -0.125)).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn jacobians_match_finite_differences(
            k in prop::array::uniform4(-0.3..0.3f64), p in prop::array::uniform2(-0.05..0.05f64),
            x in -1.0..1.0f64, y in -1.0..1.0f64,
        ) {
            let h = 1e-6;
            let k3 = [k[0], k[1], k[2]];
            let exact = radial_tangential(&k3, &p, x, y).jacobian;
            for (axis, (dx, dy)) in [(h, 0.0), (0.0, h)].into_iter().enumerate() {
                let hi = radial_tangential(&k3, &p, x + dx, y + dy).at;
                let lo = radial_tangential(&k3, &p, x - dx, y - dy).at;
                for row in 0..2 {
                    prop_assert!(((hi[row] - lo[row]) / (2.0 * h) - exact[row][axis]).abs() < 1e-8);
                }
            }
            let numeric = (fisheye(&k, x + h).0 - fisheye(&k, x - h).0) / (2.0 * h);
            prop_assert!((numeric - fisheye(&k, x).1).abs() < 1e-8);
        }
    }
}
