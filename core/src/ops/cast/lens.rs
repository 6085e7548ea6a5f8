//! Lens models, from observed image points back to directions.

use super::invert::{at_angle, invert_fisheye, invert_planar};

/// How a lens bends the ideal image. Image points and ideal ones are in focal lengths from the principal point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lens {
    /// Not at all.
    Pinhole,
    /// Radial and tangential terms in the image plane: with `r^2 = x^2 + y^2` and
    /// `g = (1 + n1 r^2 + n2 r^4 + n3 r^6 + n4 r^8) / (1 + d1 r^2 + d2 r^4 + d3 r^6)`,
    ///
    /// `x' = x g + 2 p1 x y + p2 (r^2 + 2 x^2) + s1 r^2`, `y' = y g + p1 (r^2 + 2 y^2) + 2 p2 x y + s2 r^2`.
    Planar {
        /// The terms.
        terms: Planar,
        /// The ideal radius up to which it is one-to-one.
        limit: f64,
    },
    /// As `Planar` with three numerators and tangential terms alone: OpenCV's usual model.
    Radial {
        /// `n1`, `n2`, `n3`.
        k: [f64; 3],
        /// `p1`, `p2`.
        p: [f64; 2],
        /// As for `Planar`.
        limit: f64,
    },
    /// Kannala-Brandt: a ray at angle t from the axis is seen at radius `t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)`.
    Fisheye {
        /// `k1` to `k4`.
        k: [f64; 4],
        /// The angle up to which it is one-to-one.
        limit: f64,
    },
    /// A ray at angle t from the axis is at radius t in its plane, and bent there as by `Planar`.
    FisheyePlanar {
        /// The terms.
        terms: Planar,
        /// The angle up to which it is one-to-one.
        limit: f64,
    },
}

/// The coefficients of [`Lens::Planar`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planar {
    /// The numerator's, `n1` to `n4`.
    pub above: [f64; 4],
    /// The denominator's, `d1` to `d3`.
    pub below: [f64; 3],
    /// Tangential, `p1`, `p2`.
    pub p: [f64; 2],
    /// Thin prism, `s1`, `s2`.
    pub s: [f64; 2],
}

impl Lens {
    /// The direction (of any length) that is seen at an image point; beyond the radius up to which the lens can be
    /// inverted, the outermost one on that side.
    pub fn direction(&self, point: (f64, f64)) -> [f64; 3] {
        let radius = || point.0.hypot(point.1);
        let rim = |limit: f64| [point.0 * limit / radius(), point.1 * limit / radius(), 1.0];
        match self {
            Self::Pinhole => [point.0, point.1, 1.0],
            Self::Radial { k, p, limit } => {
                let found = invert_planar(|x, y| radial_tangential(k, p, x, y), *limit, point);
                found.map_or_else(|| rim(*limit), |[x, y]| [x, y, 1.0])
            }
            Self::Planar { terms, limit } => {
                let found = invert_planar(|x, y| terms.at(x, y), *limit, point);
                found.map_or_else(|| rim(*limit), |[x, y]| [x, y, 1.0])
            }
            Self::Fisheye { k, limit } => {
                let angle = invert_fisheye(|t| fisheye(k, t), *limit, radius());
                at_angle(point, radius(), angle.unwrap_or(*limit))
            }
            Self::FisheyePlanar { terms, limit } => {
                let found = invert_planar(|x, y| terms.at(x, y), *limit, point);
                found.map_or_else(
                    || at_angle(point, radius(), *limit),
                    |[x, y]| at_angle((x, y), x.hypot(y), x.hypot(y)),
                )
            }
        }
    }
}

/// A model at one point of the plane.
#[derive(Clone, Copy)]
pub(super) struct Bent {
    /// `x'`, `y'`.
    pub at: [f64; 2],
    /// `[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]`.
    pub jacobian: [[f64; 2]; 2],
}

/// [`Lens::Radial`].
pub(super) fn radial_tangential(k: &[f64; 3], p: &[f64; 2], x: f64, y: f64) -> Bent {
    let r2 = x * x + y * y;
    let gain = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[2]));
    // d gain / d r^2, so that d gain / dx = 2 x slope.
    let slope = k[0] + r2 * (2.0 * k[1] + r2 * 3.0 * k[2]);
    let cross = 2.0 * (x * y * slope + p[0] * x + p[1] * y);
    Bent {
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

impl Planar {
    /// [`Lens::Planar`].
    pub(super) fn at(&self, x: f64, y: f64) -> Bent {
        let ([a1, a2, a3, a4], [b1, b2, b3]) = (self.above, self.below);
        let ([p1, p2], [sx, sy]) = (self.p, self.s);
        let r2 = x * x + y * y;
        let above = 1.0 + r2 * (a1 + r2 * (a2 + r2 * (a3 + r2 * a4)));
        let below = 1.0 + r2 * (b1 + r2 * (b2 + r2 * b3));
        let above_slope = a1 + r2 * (2.0 * a2 + r2 * (3.0 * a3 + r2 * 4.0 * a4));
        let below_slope = b1 + r2 * (2.0 * b2 + r2 * 3.0 * b3);
        let gain = above / below;
        let slope = (above_slope - gain * below_slope) / below;
        let cross = 2.0 * (x * y * slope + p1 * x + p2 * y);
        Bent {
            at: [
                x * gain + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + sx * r2,
                y * gain + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + sy * r2,
            ],
            jacobian: [
                [
                    gain + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x + 2.0 * sx * x,
                    cross + 2.0 * sx * y,
                ],
                [
                    cross + 2.0 * sy * x,
                    gain + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x + 2.0 * sy * y,
                ],
            ],
        }
    }
}

/// [`Lens::Fisheye`]: the image radius at angle `t` and its derivative.
pub(super) fn fisheye(k: &[f64; 4], t: f64) -> (f64, f64) {
    let s = t * t;
    let gain = 1.0 + s * (k[0] + s * (k[1] + s * (k[2] + s * k[3])));
    let derivative = 1.0 + s * (3.0 * k[0] + s * (5.0 * k[1] + s * (7.0 * k[2] + s * 9.0 * k[3])));
    (t * gain, derivative)
}
