//! Lens distortion models, forward: from ideal to observed normalized image coordinates.

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
    /// OpenCV's rational model: as [`Distortion::OpenCv`], with
    /// `g = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)`.
    FullOpenCv {
        /// Radial, second, fourth and sixth order: `k1`, `k2`, `k3`.
        above: [f64; 3],
        /// The denominator's: `k4`, `k5`, `k6`.
        below: [f64; 3],
        /// Tangential: `p1`, `p2`.
        tangential: [f64; 2],
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
    /// COLMAP's thin-prism fisheye: a ray at angle `t` from the axis is at radius `t` in its plane, where it is
    /// displaced as by [`Distortion::OpenCv`] with `g = 1 + k1 r^2 + k2 r^4 + k3 r^6 + k4 r^8`, and by
    /// `sx r^2`, `sy r^2` on top.
    ThinPrismFisheye {
        /// Radial, second to eighth order: `k1`, `k2`, `k3`, `k4`.
        radial: [f64; 4],
        /// Tangential: `p1`, `p2`.
        tangential: [f64; 2],
        /// Thin prism: `sx`, `sy`.
        prism: [f64; 2],
    },
}

impl Distortion {
    /// Whether the image is exactly a pinhole's (also if all coefficients of an OpenCV model are zero).
    pub fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::OpenCv { .. } | Self::FullOpenCv { .. } => self.coefficients().iter().all(|&k| k == 0.0),
            Self::Fisheye { .. } | Self::ThinPrismFisheye { .. } => false,
        }
    }

    /// Whether all coefficients are finite.
    pub fn is_finite(&self) -> bool {
        self.coefficients().iter().all(|k| k.is_finite())
    }

    /// All coefficients, in the order of the fields.
    fn coefficients(&self) -> Vec<f64> {
        match *self {
            Self::None => Vec::new(),
            Self::OpenCv { k1, k2, k3, p1, p2 } => vec![k1, k2, k3, p1, p2],
            Self::FullOpenCv { above, below, tangential } => [&above[..], &below, &tangential].concat(),
            Self::Fisheye { k1, k2, k3, k4 } => vec![k1, k2, k3, k4],
            Self::ThinPrismFisheye { radial, tangential, prism } => {
                [&radial[..], &tangential, &prism].concat()
            }
        }
    }
}

impl fmt::Display for Distortion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no distortion"),
            Self::OpenCv { k1, k2, k3, p1, p2 } => {
                write!(f, "OpenCV distortion k{} p{}", listed(&[*k1, *k2, *k3]), listed(&[*p1, *p2]))
            }
            Self::FullOpenCv { above, below, tangential } => {
                let k = [*above, *below].concat();
                write!(f, "full OpenCV distortion k{} p{}", listed(&k), listed(tangential))
            }
            Self::Fisheye { k1, k2, k3, k4 } => {
                write!(f, "OpenCV fisheye k{}", listed(&[*k1, *k2, *k3, *k4]))
            }
            Self::ThinPrismFisheye { radial, tangential, prism } => {
                let (k, p, s) = (listed(radial), listed(tangential), listed(prism));
                write!(f, "thin-prism fisheye k{k} p{p} s{s}")
            }
        }
    }
}

/// Coefficients to five significant digits, a space before each.
fn listed(coefficients: &[f64]) -> String {
    let digits = |v: f64| if v == 0.0 { 0.0 } else { (4.0 - v.abs().log10().floor()).clamp(0.0, 15.0) };
    coefficients.iter().map(|&v| format!(" {v:.*}", digits(v) as usize)).collect()
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
    fn coefficients_are_shown_to_five_digits() {
        let lens =
            Distortion::OpenCv { k1: 0.056_148_335, k2: -12.345_678, k3: 0.0, p1: -1.632_4e-3, p2: 1e-9 };
        assert_eq!(lens.to_string(), "OpenCV distortion k 0.056148 -12.346 0 p -0.0016324 0.0000000010000");
    }

    proptest! {
        #[test]
        fn fisheye_derivative_matches_finite_differences(k in prop::array::uniform4(-0.3..0.3f64), t in 0.0..1.0f64) {
            let h = 1e-6;
            let numeric = (fisheye(&k, t + h).0 - fisheye(&k, t - h).0) / (2.0 * h);
            prop_assert!((numeric - fisheye(&k, t).1).abs() < 1e-8);
        }
    }
}
