//! Lens models forwards: where an ideal point is seen, and how that changes.

/// The coefficients of [`super::Lens::Planar`].
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

/// A model at one point of the plane.
#[derive(Clone, Copy)]
pub(super) struct Bent {
    /// `x'`, `y'`.
    pub at: [f64; 2],
    /// `[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]`.
    pub jacobian: [[f64; 2]; 2],
}

/// [`super::Lens::Radial`].
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
    /// [`super::Lens::Planar`].
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

/// [`super::Lens::Fisheye`]: the image radius at angle `t` and its derivative.
pub(super) fn fisheye(k: &[f64; 4], t: f64) -> (f64, f64) {
    let s = t * t;
    let gain = 1.0 + s * (k[0] + s * (k[1] + s * (k[2] + s * k[3])));
    let derivative = 1.0 + s * (3.0 * k[0] + s * (5.0 * k[1] + s * (7.0 * k[2] + s * 9.0 * k[3])));
    (t * gain, derivative)
}
