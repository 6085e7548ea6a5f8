//! Distortion of a point in a plane, with its Jacobian: what the radial-tangential models share.

/// A model at one point.
#[derive(Clone, Copy)]
pub(super) struct Distorted {
    /// `x'`, `y'`.
    pub at: [f64; 2],
    /// `[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]`.
    pub jacobian: [[f64; 2]; 2],
}

/// Evaluates [`Distortion::OpenCv`](super::Distortion::OpenCv); `k` is `[k1, k2, k3]`, `p` is `[p1, p2]`.
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

/// The general form: with `g = (1 + n1 r^2 + n2 r^4 + n3 r^6 + n4 r^8) / (1 + d1 r^2 + d2 r^4 + d3 r^6)`,
///
/// `x' = x g + 2 p1 x y + p2 (r^2 + 2 x^2) + sx r^2`, `y' = y g + p1 (r^2 + 2 y^2) + 2 p2 x y + sy r^2`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planar {
    /// The numerator's coefficients.
    pub above: [f64; 4],
    /// The denominator's.
    pub below: [f64; 3],
    /// Tangential.
    pub p: [f64; 2],
    /// Thin prism.
    pub s: [f64; 2],
}

impl Planar {
    /// Evaluates the model.
    pub fn at(&self, x: f64, y: f64) -> Distorted {
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
        Distorted {
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

    /// The derivative of `r g(r^2)` times the denominator squared, as a polynomial in `r^2`: while it and the
    /// denominator are positive, radii grow.
    pub fn growth(&self) -> [f64; 8] {
        let above = [1.0, self.above[0], self.above[1], self.above[2], self.above[3]];
        let below = self.denominator();
        let mut growth = [0.0; 8];
        for (i, a) in above.iter().enumerate() {
            for (j, b) in below.iter().enumerate() {
                // (N + 2 s N') D - 2 s N D', term by term.
                growth[i + j] += (1.0 + 2.0 * i as f64 - 2.0 * j as f64) * a * b;
            }
        }
        growth
    }

    /// The denominator, as a polynomial in `r^2`.
    pub fn denominator(&self) -> [f64; 4] {
        [1.0, self.below[0], self.below[1], self.below[2]]
    }
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

    #[test]
    fn the_general_form_by_hand() {
        let planar =
            Planar { above: [0.1, 0.0, 0.0, 2.0], below: [0.5, 0.0, 1.0], p: [0.0, 0.0], s: [0.25, -0.5] };
        // x = 1, y = 0: g = (1 + 0.1 + 2) / (1 + 0.5 + 1).
        let at = planar.at(1.0, 0.0).at;
        assert!((at[0] - (3.1 / 2.5 + 0.25)).abs() < 1e-15 && (at[1] + 0.5).abs() < 1e-15);
        // (1 + 0.2 s) D etc. at s = 1: N = 3.1, N' = 8.1, D = 2.5, D' = 3.5.
        let growth: f64 = planar.growth().iter().sum();
        assert!((growth - ((3.1 + 2.0 * 8.1) * 2.5 - 2.0 * 3.1 * 3.5)).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn jacobians_match_finite_differences(
            above in prop::array::uniform4(-0.3..0.3f64), below in prop::array::uniform3(-0.1..0.1f64),
            p in prop::array::uniform2(-0.05..0.05f64), s in prop::array::uniform2(-0.05..0.05f64),
            // The denominator stays above 0.7: near a pole finite differences say nothing.
            x in -0.7..0.7f64, y in -0.7..0.7f64,
        ) {
            let h = 1e-6;
            let k3 = [above[0], above[1], above[2]];
            let planar = Planar { above, below, p, s };
            let simple = |x: f64, y: f64| radial_tangential(&k3, &p, x, y);
            let general = |x: f64, y: f64| planar.at(x, y);
            for model in [&simple as &dyn Fn(f64, f64) -> Distorted, &general] {
                let exact = model(x, y).jacobian;
                for (axis, (dx, dy)) in [(h, 0.0), (0.0, h)].into_iter().enumerate() {
                    let (hi, lo) = (model(x + dx, y + dy).at, model(x - dx, y - dy).at);
                    for row in 0..2 {
                        prop_assert!(((hi[row] - lo[row]) / (2.0 * h) - exact[row][axis]).abs() < 2e-8);
                    }
                }
            }
            let opencv = Planar { above: [k3[0], k3[1], k3[2], 0.0], below: [0.0; 3], p, s: [0.0; 2] }.at(x, y);
            let (a, b) = (opencv.at, simple(x, y).at);
            prop_assert!((a[0] - b[0]).abs() < 1e-15 && (a[1] - b[1]).abs() < 1e-15);
        }
    }
}
