//! Lens models, from observed image points back to directions.

use super::invert::{at_angle, invert_fisheye, invert_planar};
use super::model::{Planar, fisheye, radial_tangential};

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
