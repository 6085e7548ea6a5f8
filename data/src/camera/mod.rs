//! Cameras: where a pixel's ray starts and where it goes.
//!
//! # The one frame convention
//!
//! * **Camera frame**: `x` right, `y` up, the camera looks along `-z` (OpenGL, Blender, `transforms.json`).
//! * **World frame**: right-handed, in the data set's own units and axes; nothing is permuted.
//! * **Pose**: camera-to-world, `world = pose * camera`.
//! * **Pixels**: `(0, 0)` is the top-left *corner* of the image, `x` to the right and `y` down, so that the
//!   center of the first pixel is `(0.5, 0.5)` and the image spans `[0, width] x [0, height]`.
//!
//! The distortion models are OpenCV's and are defined in OpenCV's camera axes (`y` down, `z` forward); this module alone
//! converts between the two.

mod attention;
mod caster;
mod distortion;
mod intrinsics;
mod lens;
mod planar;
mod pose;
mod roots;

use nalgebra::{Isometry3, Point3, Vector3};

pub(crate) use attention::attention;
pub use attention::meeting_point;
pub use caster::RayCaster;
pub use distortion::Distortion;
pub use intrinsics::{Intrinsics, IntrinsicsError};
pub(crate) use lens::Lens;
pub(crate) use pose::{FARTHEST, pose_from_rows};

/// A ray in the world frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ray {
    /// Where it starts: the camera center, in world units.
    pub origin: Point3<f64>,
    /// Where it goes; length 1.
    pub direction: Vector3<f64>,
}

/// A posed camera. See the [module](self) for the frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Resolution, focal lengths, principal point and distortion.
    pub intrinsics: Intrinsics,
    /// Camera-to-world.
    pub pose: Isometry3<f64>,
}

impl Camera {
    /// A camera at `from` that looks at `target`, with `up` (which need not be level) above it in the picture. Where it
    /// looks along `up`, any direction is above.
    pub fn looking_at(
        intrinsics: Intrinsics,
        from: Point3<f64>,
        target: Point3<f64>,
        up: Vector3<f64>,
    ) -> Self {
        let ahead = target - from;
        let level = ahead.cross(&up).norm() > 1e-9 * ahead.norm() * up.norm();
        let up = if level { up } else { Vector3::ith(ahead.iamin(), 1.0) };
        Self { intrinsics, pose: Isometry3::look_at_rh(&from, &target, &up).inverse() }
    }

    /// The ray through the image point `(px, py)`, in pixels; a pixel's center is at `+ 0.5`.
    ///
    /// Distortion is undone by inverting the model to 1e-12. A point that lies beyond the radius up to which the model
    /// can be inverted gets the outermost ray in its direction. Every call prepares the lens anew: use a [`RayCaster`]
    /// for many pixels.
    pub fn ray(&self, px: f64, py: f64) -> Ray {
        let direction = Lens::new(self.intrinsics.distortion).direction(self.intrinsics.normalised(px, py));
        let [x, y, z] = direction;
        Ray { origin: self.centre(), direction: (self.pose.rotation * Vector3::new(x, -y, -z)).normalize() }
    }

    /// Where a world point appears: `(px, py, depth)` with the image point in pixels and the depth along the
    /// optical axis in world units (not the distance to the center).
    ///
    /// `None` if the lens cannot see the point: behind the camera, or beyond the radius up to which the
    /// distortion model is one-to-one (where it would fold back into the image). The point may lie outside the
    /// image's borders. A fisheye lens sees past 90 degrees from its axis; there the depth is negative.
    pub fn project(&self, point: &Point3<f64>) -> Option<(f64, f64, f64)> {
        let local = self.pose.inverse_transform_point(point);
        let (x, y) = Lens::new(self.intrinsics.distortion).image([local.x, -local.y, -local.z])?;
        let k = &self.intrinsics;
        Some((k.fx * x + k.cx, k.fy * y + k.cy, -local.z))
    }

    /// The camera center in the world frame.
    pub fn centre(&self) -> Point3<f64> {
        Point3::from(self.pose.translation.vector)
    }

    /// The optical axis in the world frame, length 1, pointing into the scene.
    pub fn forward(&self) -> Vector3<f64> {
        self.pose.rotation * -Vector3::z()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::UnitQuaternion;
    use proptest::prelude::*;

    use super::*;

    fn fox() -> Intrinsics {
        Intrinsics {
            width: 1080,
            height: 1920,
            fx: 1375.52,
            fy: 1374.49,
            cx: 554.558,
            cy: 965.268,
            distortion: Distortion::OpenCv {
                k1: 0.0578421,
                k2: -0.0805099,
                k3: 0.0,
                p1: -0.000980296,
                p2: 0.00015575,
            },
        }
    }

    /// A lens of each kind, as strong as real ones are.
    fn lenses() -> [Distortion; 5] {
        [
            Distortion::None,
            fox().distortion,
            Distortion::Fisheye { k1: -0.02, k2: 0.004, k3: -0.001, k4: 1e-4 },
            Distortion::FullOpenCv {
                above: [0.35, 0.12, -0.02],
                below: [0.3, 0.15, 0.01],
                tangential: [1e-3, -5e-4],
            },
            Distortion::ThinPrismFisheye {
                radial: [-0.03, 0.01, -0.004, 5e-4],
                tangential: [4e-4, -7e-4],
                prism: [1e-3, -8e-4],
            },
        ]
    }

    #[test]
    fn every_model_inverts_over_the_whole_image() {
        for distortion in lenses() {
            let intrinsics = Intrinsics { distortion, ..fox() };
            let camera = Camera { intrinsics, pose: Isometry3::identity() };
            for y in 0..=64 {
                for x in 0..=36 {
                    let (px, py) = (f64::from(x) * 30.0, f64::from(y) * 30.0);
                    let (ideal, lens) = (intrinsics.normalised(px, py), Lens::new(distortion));
                    assert!(lens.undistort(ideal).is_some(), "{distortion}: {px} {py} is out of reach");
                    let ray = camera.ray(px, py);
                    let (bx, by, _) = camera.project(&(ray.origin + ray.direction)).unwrap();
                    assert!((bx - px).hypot(by - py) < 1e-6, "{distortion}: {px} {py} became {bx} {by}");
                }
            }
        }
    }

    #[test]
    fn axes_follow_the_convention() {
        let camera = Camera { intrinsics: Intrinsics::pinhole(4, 2, 2.0, 2.0), pose: Isometry3::identity() };
        let close = |v: Vector3<f64>, w: Vector3<f64>| assert!((v - w.normalize()).norm() < 1e-15, "{v} {w}");
        close(camera.ray(2.0, 1.0).direction, Vector3::new(0.0, 0.0, -1.0));
        close(camera.ray(4.0, 1.0).direction, Vector3::new(1.0, 0.0, -1.0));
        // The top edge of the image is up in the world.
        close(camera.ray(2.0, 0.0).direction, Vector3::new(0.0, 0.5, -1.0));
    }

    #[test]
    fn a_camera_looks_where_it_is_told_to() {
        let (from, target) = (Point3::new(1.0, -2.0, 3.0), Point3::new(0.5, 4.0, -1.0));
        for up in [Vector3::z(), Vector3::new(0.3, -1.0, 0.2), target - from, from - target] {
            let camera = Camera::looking_at(Intrinsics::pinhole(8, 8, 9.0, 9.0), from, target, up);
            assert!((camera.centre() - from).norm() < 1e-12);
            assert!((camera.forward() - (target - from).normalize()).norm() < 1e-12);
            let above = camera.pose.rotation * Vector3::y();
            let leans = above.dot(&up.normalize());
            let along = up.cross(&(target - from)).norm() < 1e-9;
            assert!(along || leans > 0.0, "{up}: {leans}");
            assert!((camera.project(&target).unwrap().0 - 4.0).abs() < 1e-9);
        }
    }

    #[test]
    fn pose_is_camera_to_world() {
        let pose = Isometry3::from_parts(
            Vector3::new(1.0, 2.0, 3.0).into(),
            UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f64::consts::FRAC_PI_2),
        );
        let camera = Camera { intrinsics: Intrinsics::pinhole(10, 10, 5.0, 5.0), pose };
        let ray = camera.ray(5.0, 5.0);
        assert_eq!(ray.origin, Point3::new(1.0, 2.0, 3.0));
        assert!((ray.direction - Vector3::new(-1.0, 0.0, 0.0)).norm() < 1e-15);
        assert!((camera.forward() - ray.direction).norm() < 1e-15);
    }

    #[test]
    fn behind_the_camera_is_invisible() {
        let camera = Camera { intrinsics: fox(), pose: Isometry3::identity() };
        assert_eq!(camera.project(&Point3::new(0.0, 0.0, 1.0)), None);
        assert_eq!(camera.project(&Point3::origin()), None);
    }

    #[test]
    fn points_past_the_fold_are_invisible() {
        // With k1 < 0 the model r (1 + k1 r^2) turns back at r = 1 / sqrt(-3 k1) = 1.054.
        let distortion = Distortion::OpenCv { k1: -0.3, k2: 0.0, k3: 0.0, p1: 0.0, p2: 0.0 };
        let intrinsics = Intrinsics { distortion, ..Intrinsics::pinhole(100, 100, 50.0, 50.0) };
        let camera = Camera { intrinsics, pose: Isometry3::identity() };
        assert!(camera.project(&Point3::new(1.05, 0.0, -1.0)).is_some());
        assert_eq!(camera.project(&Point3::new(1.06, 0.0, -1.0)), None);
    }

    proptest! {
        #[test]
        fn project_undoes_ray(
            px in 0.0..1080.0, py in 0.0..1920.0, far in 0.01..100.0, lens in 0..5usize,
            axis in prop::array::uniform3(-3.0..3.0f64), at in prop::array::uniform3(-9.0..9.0f64),
        ) {
            let intrinsics = Intrinsics { distortion: lenses()[lens], ..fox() };
            let pose = Isometry3::new(Vector3::from(at), Vector3::from(axis));
            let camera = Camera { intrinsics, pose };
            let ray = camera.ray(px, py);
            prop_assert!((ray.direction.norm() - 1.0).abs() < 1e-14);
            let point = ray.origin + ray.direction * far;
            let (x, y, depth) = camera.project(&point).unwrap();
            // The point's own rounding, seen from `far` away, bounds what can come back.
            let slack = 1e-8 + 1e-10 / far;
            prop_assert!((x - px).abs() < slack && (y - py).abs() < slack, "{x} {y}");
            prop_assert!(f64::abs(depth - far * ray.direction.dot(&camera.forward())) < 1e-10);
        }
    }
}
