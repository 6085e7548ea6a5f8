//! Lens models made ready for inversion: from observed image coordinates back to directions.

use std::f64::consts::PI;

use super::distortion::{Distortion, fisheye};
use super::planar::{Distorted, Planar, radial_tangential};
use super::roots::first_sign_change;

/// Residual at which an inversion has converged, relative to the larger of 1 and the point's own radius.
const TOLERANCE: f64 = 1e-12;
/// Largest ideal radius of a radial-tangential lens: 89.4 degrees from the axis.
const MAX_RADIUS: f64 = 100.0;

/// A [`Distortion`] prepared for inversion: the radius up to which it is one-to-one is computed once.
///
/// Coordinates are OpenCV's: `x` right, `y` down, `z` forward; image points are in focal lengths from the
/// principal point.
#[derive(Clone, Copy, Debug)]
pub struct Lens {
    model: LensModel,
}

#[derive(Clone, Copy, Debug)]
enum LensModel {
    Pinhole,
    /// `limit`: the ideal radius at which the radial polynomial stops growing.
    Radial {
        k: [f64; 3],
        p: [f64; 2],
        limit: f64,
    },
    /// As `Radial`, in the general form.
    Rational {
        planar: Planar,
        limit: f64,
    },
    /// `limit`: the angle, at most pi, at which the polynomial stops growing.
    Fisheye {
        k: [f64; 4],
        limit: f64,
    },
    /// As `Fisheye`, in the general form.
    ThinPrism {
        planar: Planar,
        limit: f64,
    },
}

impl Lens {
    /// Prepares a lens: finds where the model's radial polynomial first stops growing, beyond which an image
    /// point would have more than one ray.
    pub fn new(distortion: Distortion) -> Self {
        let model = match distortion {
            _ if distortion.is_none() => LensModel::Pinhole,
            Distortion::None => LensModel::Pinhole,
            Distortion::OpenCv { k1, k2, k3, p1, p2 } => {
                let growth = [1.0, 3.0 * k1, 5.0 * k2, 7.0 * k3];
                let limit = first_sign_change(&growth, MAX_RADIUS * MAX_RADIUS).sqrt();
                LensModel::Radial { k: [k1, k2, k3], p: [p1, p2], limit }
            }
            Distortion::FullOpenCv { above: [k1, k2, k3], below, tangential } => {
                let planar = Planar { above: [k1, k2, k3, 0.0], below, p: tangential, s: [0.0; 2] };
                let pole = first_sign_change(&planar.denominator(), MAX_RADIUS * MAX_RADIUS);
                let fold = first_sign_change(&planar.growth(), MAX_RADIUS * MAX_RADIUS);
                LensModel::Rational { planar, limit: pole.min(fold).sqrt() }
            }
            Distortion::ThinPrismFisheye { radial, tangential, prism } => {
                let planar = Planar { above: radial, below: [0.0; 3], p: tangential, s: prism };
                LensModel::ThinPrism { planar, limit: first_sign_change(&planar.growth(), PI * PI).sqrt() }
            }
            Distortion::Fisheye { k1, k2, k3, k4 } => {
                let growth = [1.0, 3.0 * k1, 5.0 * k2, 7.0 * k3, 9.0 * k4];
                LensModel::Fisheye { k: [k1, k2, k3, k4], limit: first_sign_change(&growth, PI * PI).sqrt() }
            }
        };
        Self { model }
    }

    /// Up to where it is one-to-one: an ideal radius, or the angle of a fisheye; infinite of a pinhole.
    pub fn limit(&self) -> f64 {
        match self.model {
            LensModel::Pinhole => f64::INFINITY,
            LensModel::Radial { limit, .. }
            | LensModel::Rational { limit, .. }
            | LensModel::Fisheye { limit, .. }
            | LensModel::ThinPrism { limit, .. } => limit,
        }
    }

    /// Where a direction `[x, y, z]` of any length is seen, or `None` behind the camera or beyond the radius up
    /// to which the model is one-to-one.
    pub fn image(&self, direction: [f64; 3]) -> Option<(f64, f64)> {
        let [x, y, z] = direction;
        match &self.model {
            LensModel::Fisheye { k, limit } => {
                let radius = x.hypot(y);
                let angle = radius.atan2(z);
                let seen = fisheye(k, angle).0;
                let gain = if radius > 0.0 { seen / radius } else { 0.0 };
                (angle <= *limit && (radius > 0.0 || z > 0.0)).then_some((x * gain, y * gain))
            }
            LensModel::ThinPrism { planar, limit } => {
                let radius = x.hypot(y);
                let angle = radius.atan2(z);
                let gain = if radius > 0.0 { angle / radius } else { 0.0 };
                let [u, v] = planar.at(x * gain, y * gain).at;
                (angle <= *limit && (radius > 0.0 || z > 0.0)).then_some((u, v))
            }
            _ if z <= 0.0 => None,
            LensModel::Pinhole => Some((x / z, y / z)),
            LensModel::Radial { k, p, limit } => {
                let (x, y) = (x / z, y / z);
                let [u, v] = radial_tangential(k, p, x, y).at;
                (x.hypot(y) <= *limit).then_some((u, v))
            }
            LensModel::Rational { planar, limit } => {
                let (x, y) = (x / z, y / z);
                let [u, v] = planar.at(x, y).at;
                (x.hypot(y) <= *limit).then_some((u, v))
            }
        }
    }

    /// The direction (of any length) that is seen at an image point, or `None` if there is none: the point lies
    /// beyond the radius up to which the model can be inverted.
    ///
    /// Radial-tangential models are inverted by Newton's method with the analytic Jacobian, its steps halved
    /// until the residual falls, to a residual of 1e-12; the fisheye by Newton's method inside a bracket.
    pub fn undistort(&self, point: (f64, f64)) -> Option<[f64; 3]> {
        match &self.model {
            LensModel::Pinhole => Some([point.0, point.1, 1.0]),
            LensModel::Radial { k, p, limit } => {
                let model = |x, y| radial_tangential(k, p, x, y);
                invert_planar(model, *limit, point.0, point.1).map(|[x, y]| [x, y, 1.0])
            }
            LensModel::Rational { planar, limit } => {
                invert_planar(|x, y| planar.at(x, y), *limit, point.0, point.1).map(|[x, y]| [x, y, 1.0])
            }
            LensModel::ThinPrism { planar, limit } => {
                let found = invert_planar(|x, y| planar.at(x, y), *limit, point.0, point.1);
                found.map(|[x, y]| at_angle((x, y), x.hypot(y), x.hypot(y)))
            }
            LensModel::Fisheye { k, limit } => {
                let radius = point.0.hypot(point.1);
                invert_fisheye(k, *limit, radius).map(|angle| at_angle(point, radius, angle))
            }
        }
    }

    /// Like [`Lens::undistort`], but a point beyond the invertible radius gets the outermost direction on its
    /// side, so that every pixel has a ray.
    pub fn direction(&self, point: (f64, f64)) -> [f64; 3] {
        self.undistort(point).unwrap_or_else(|| {
            let radius = point.0.hypot(point.1);
            match &self.model {
                LensModel::Pinhole => [point.0, point.1, 1.0],
                LensModel::Radial { limit, .. } | LensModel::Rational { limit, .. } => {
                    [point.0 * limit / radius, point.1 * limit / radius, 1.0]
                }
                LensModel::Fisheye { limit, .. } | LensModel::ThinPrism { limit, .. } => {
                    at_angle(point, radius, *limit)
                }
            }
        })
    }
}

/// The direction at an angle from the axis, on the side of an image point of that radius.
fn at_angle(point: (f64, f64), radius: f64, angle: f64) -> [f64; 3] {
    if radius == 0.0 {
        return [0.0, 0.0, 1.0];
    }
    let side = angle.sin() / radius;
    [point.0 * side, point.1 * side, angle.cos()]
}

fn invert_planar(model: impl Fn(f64, f64) -> Distorted, limit: f64, u: f64, v: f64) -> Option<[f64; 2]> {
    let radius = u.hypot(v);
    let enough = TOLERANCE * radius.max(1.0);
    // The observed point is the usual first guess; a strong lens needs it pulled inside the invertible disc.
    let pull = if radius > 0.9 * limit { 0.9 * limit / radius } else { 1.0 };
    let (mut x, mut y) = (u * pull, v * pull);
    let mut here = model(x, y);
    let mut error = (here.at[0] - u).hypot(here.at[1] - v);
    for _ in 0..50 {
        let [[a, b], [c, d]] = here.jacobian;
        let det = a * d - b * c;
        if error <= enough {
            // A negative determinant is a solution past a fold that the tangential terms made.
            return (det > 0.0).then_some([x, y]);
        }
        let (eu, ev) = (here.at[0] - u, here.at[1] - v);
        let (dx, dy) = ((d * eu - b * ev) / det, (a * ev - c * eu) / det);
        let mut step = 1.0;
        loop {
            let (nx, ny) = (x - step * dx, y - step * dy);
            let next = model(nx, ny);
            let next_error = (next.at[0] - u).hypot(next.at[1] - v);
            // Written so that a NaN (singular Jacobian) is refused as well.
            if next_error < error && nx.hypot(ny) <= limit {
                (x, y, here, error) = (nx, ny, next, next_error);
                break;
            }
            step *= 0.5;
            if step < 1e-4 {
                return None;
            }
        }
    }
    None
}

fn invert_fisheye(k: &[f64; 4], limit: f64, radius: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, limit);
    if radius.is_nan() || radius > fisheye(k, high).0 {
        return None;
    }
    let mut angle = radius.min(limit);
    // Bisection alone would be done after 60; Newton makes it four or five.
    for _ in 0..100 {
        let (seen, derivative) = fisheye(k, angle);
        let error = seen - radius;
        if error.abs() <= TOLERANCE * radius.min(1.0) {
            break;
        }
        if error > 0.0 {
            high = angle;
        } else {
            low = angle;
        }
        let newton = angle - error / derivative;
        angle = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
    }
    Some(angle)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const FOX: Distortion =
        Distortion::OpenCv { k1: 0.0578421, k2: -0.0805099, k3: 0.0, p1: -0.000980296, p2: 0.00015575 };

    #[test]
    fn fox_inverts_over_the_whole_image() {
        let lens = Lens::new(FOX);
        let mut farthest = 0f64;
        for py in (0..=1920).step_by(20) {
            for px in (0..=1080).step_by(20) {
                let point = ((px as f64 - 554.558) / 1375.52, (py as f64 - 965.268) / 1374.49);
                let (u, v) = lens.image(lens.undistort(point).unwrap()).unwrap();
                let error = (u - point.0).hypot(v - point.1);
                assert!(error < 1.1e-12, "{px} {py}: {error}");
                farthest = farthest.max(point.0.hypot(point.1));
            }
        }
        assert!(farthest > 0.8);
    }

    #[test]
    fn a_zero_model_is_a_pinhole() {
        let is_pinhole = |distortion| matches!(Lens::new(distortion).model, LensModel::Pinhole);
        assert!(is_pinhole(Distortion::OpenCv { k1: 0.0, k2: 0.0, k3: 0.0, p1: 0.0, p2: 0.0 }));
        assert!(!is_pinhole(FOX));
    }

    #[test]
    fn beyond_the_invertible_radius() {
        // r (1 - 0.3 r^2) peaks at r = 1.0541 with value 0.7027.
        let lens = Lens::new(Distortion::OpenCv { k1: -0.3, k2: 0.0, k3: 0.0, p1: 0.0, p2: 0.0 });
        assert!(lens.undistort((0.7026, 0.0)).is_some());
        assert_eq!(lens.undistort((0.71, 0.0)), None);
        let [x, y, z] = lens.direction((0.0, 0.9));
        assert!((x, z) == (0.0, 1.0) && (y - (1.0f64 / 0.9).sqrt()).abs() < 1e-12);

        let fisheye = Lens::new(Distortion::Fisheye { k1: 0.0, k2: 0.0, k3: 0.0, k4: 0.0 });
        assert_eq!(fisheye.undistort((3.2, 0.0)), None, "an angle past pi");
        assert_eq!(fisheye.undistort((f64::NAN, 0.0)), None);
        let [x, _, z] = fisheye.undistort((2.0, 0.0)).unwrap();
        assert!((x - 2f64.sin()).abs() < 1e-12 && (z - 2f64.cos()).abs() < 1e-12);
    }

    /// What is found is seen where the point is seen; away from the fold, `along` of the way to it, it is the point. (The
    /// tangential terms bend the fold, and close to it two points have one image.)
    fn round_trip(lens: &Lens, [x, y]: [f64; 2], along: f64) -> Result<(), TestCaseError> {
        let seen = lens.image([x, y, 1.0]).unwrap();
        let back = lens.undistort(seen).unwrap();
        let again = lens.image(back).unwrap();
        prop_assert!((again.0 - seen.0).hypot(again.1 - seen.1) < 1e-9, "{seen:?} became {again:?}");
        let error = (back[0] - x).hypot(back[1] - y);
        prop_assert!(along > 0.6 || error < 1e-9, "{x} {y} became {back:?}");
        Ok(())
    }

    proptest! {
        #[test]
        fn radial_round_trip(
            k in prop::array::uniform3(-0.25..0.25f64), p in prop::array::uniform2(-0.003..0.003f64),
            along in 0.0..0.85f64, turn in 0.0..6.3f64,
        ) {
            let lens = Lens::new(Distortion::OpenCv { k1: k[0], k2: k[1], k3: k[2], p1: p[0], p2: p[1] });
            let LensModel::Radial { limit, .. } = lens.model else { return Ok(()) };
            let r = along * limit.min(1.5);
            let (x, y) = (r * turn.cos(), r * turn.sin());
            round_trip(&lens, [x, y], along)?;
        }

        #[test]
        fn rational_round_trip(
            above in prop::array::uniform3(-0.25..0.25f64), below in prop::array::uniform3(-0.25..0.25f64),
            tangential in prop::array::uniform2(-0.003..0.003f64), along in 0.0..0.85f64, turn in 0.0..6.3f64,
        ) {
            let lens = Lens::new(Distortion::FullOpenCv { above, below, tangential });
            let LensModel::Rational { limit, .. } = lens.model else { return Ok(()) };
            let r = along * limit.min(1.5);
            let (x, y) = (r * turn.cos(), r * turn.sin());
            round_trip(&lens, [x, y], along)?;
        }

        #[test]
        fn thin_prism_round_trip(
            radial in prop::array::uniform4(-0.05..0.05f64), tangential in prop::array::uniform2(-0.003..0.003f64),
            prism in prop::array::uniform2(-0.003..0.003f64), along in 0.0..0.75f64, turn in 0.0..6.3f64,
        ) {
            let lens = Lens::new(Distortion::ThinPrismFisheye { radial, tangential, prism });
            let LensModel::ThinPrism { limit, .. } = lens.model else { return Ok(()) };
            let angle = along * limit.min(2.0);
            let ray = [angle.sin() * turn.cos(), angle.sin() * turn.sin(), angle.cos()];
            let back = lens.undistort(lens.image(ray).unwrap()).unwrap();
            for i in 0..3 {
                prop_assert!((back[i] - ray[i]).abs() < 1e-9, "{ray:?} became {back:?}");
            }
        }

        #[test]
        fn fisheye_round_trip(k in prop::array::uniform4(-0.05..0.05f64), along in 0.0..0.95f64, turn in 0.0..6.3f64) {
            let lens = Lens::new(Distortion::Fisheye { k1: k[0], k2: k[1], k3: k[2], k4: k[3] });
            let LensModel::Fisheye { limit, .. } = lens.model else { return Ok(()) };
            let angle = along * limit;
            let ray = [angle.sin() * turn.cos(), angle.sin() * turn.sin(), angle.cos()];
            let back = lens.undistort(lens.image(ray).unwrap()).unwrap();
            for i in 0..3 {
                prop_assert!((back[i] - ray[i]).abs() < 1e-9, "{ray:?} became {back:?}");
            }
        }
    }
}
