//! Casting many rays from one camera, quickly.

use nalgebra::{Matrix3, Point3, Similarity3, UnitQuaternion, Vector3};

use super::{Camera, Lens};

/// A camera prepared for casting rays in a training loop: no allocation, no matrix types, and for a pinhole no
/// more than a 3x3 product and a square root.
///
/// A distorted lens costs three to five Newton steps per ray. Results are those of [`Camera::ray`], rounded to f32.
#[derive(Clone, Debug)]
pub struct RayCaster {
    origin: [f32; 3],
    /// Rotation times the flip from OpenCV's axes, rows first.
    axes: [[f64; 3]; 3],
    focal: [f64; 2],
    principal: [f64; 2],
    lens: Lens,
}

impl RayCaster {
    /// Rays in the world frame.
    pub fn new(camera: &Camera) -> Self {
        Self::with_frame(camera, &Similarity3::identity())
    }

    /// Rays in another frame than the world, such as a scene's unit frame. Directions have length 1, so distances along
    /// a ray are world distances times the frame's scale.
    pub fn with_frame(camera: &Camera, frame: &Similarity3<f64>) -> Self {
        let origin = frame * camera.centre();
        let flip = Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, -1.0));
        let turn = &frame.isometry.rotation;
        let own = camera.pose.rotation;
        // Without a rotation of the frame the camera's axes must stay the same to the last bit.
        let rotation = if *turn == UnitQuaternion::identity() { own } else { turn * own };
        let axes = rotation.to_rotation_matrix().matrix() * flip;
        let k = &camera.intrinsics;
        Self {
            origin: as_f32(&origin),
            axes: std::array::from_fn(|r| std::array::from_fn(|c| axes[(r, c)])),
            focal: [k.fx, k.fy],
            principal: [k.cx, k.cy],
            lens: Lens::new(k.distortion),
        }
    }

    /// Origin and unit direction of the ray through the image point `(px, py)` in pixels; a pixel's center is
    /// at `+ 0.5`.
    #[inline]
    pub fn cast(&self, px: f64, py: f64) -> ([f32; 3], [f32; 3]) {
        let point = ((px - self.principal[0]) / self.focal[0], (py - self.principal[1]) / self.focal[1]);
        let [x, y, z] = self.lens.direction(point);
        let shrink = 1.0 / (x * x + y * y + z * z).sqrt();
        let direction = self.axes.map(|row| ((row[0] * x + row[1] * y + row[2] * z) * shrink) as f32);
        (self.origin, direction)
    }

    /// The camera center, where all rays start.
    pub fn origin(&self) -> [f32; 3] {
        self.origin
    }

    /// From OpenCV's axes to those of the frame, rows first.
    pub fn axes(&self) -> [[f64; 3]; 3] {
        self.axes
    }

    /// Up to where the lens is one-to-one: an ideal radius, or the angle of a fisheye; infinite of a pinhole.
    pub fn lens_limit(&self) -> f64 {
        self.lens.limit()
    }
}

fn as_f32(point: &Point3<f64>) -> [f32; 3] {
    [point.x as f32, point.y as f32, point.z as f32]
}

#[cfg(test)]
mod tests {
    use nalgebra::Isometry3;
    use proptest::prelude::*;

    use super::super::{Distortion, Intrinsics};
    use super::*;

    fn lens(which: usize) -> Distortion {
        match which {
            0 => Distortion::None,
            1 => Distortion::OpenCv { k1: 0.06, k2: -0.08, k3: 0.01, p1: -0.001, p2: 0.0002 },
            // The model folds inside the image: beyond that, pixels get the outermost ray.
            2 => Distortion::OpenCv { k1: -0.4, k2: 0.0, k3: 0.0, p1: 0.0, p2: 0.0 },
            3 => Distortion::Fisheye { k1: 0.03, k2: -0.01, k3: 0.0, k4: 0.0 },
            4 => Distortion::FullOpenCv {
                above: [0.2, 0.1, -0.01],
                below: [0.3, -0.05, 0.0],
                tangential: [1e-3, 0.0],
            },
            _ => Distortion::ThinPrismFisheye {
                radial: [0.02, 0.0, 0.01, 0.0],
                tangential: [1e-3; 2],
                prism: [1e-3; 2],
            },
        }
    }

    proptest! {
        #[test]
        fn equals_camera_ray(
            which in 0..6usize, px in 0.0..64.0f64, py in 0.0..48.0f64, scale in 0.1..3.0f64,
            at in prop::array::uniform3(-3.0..3.0f64), turn in prop::array::uniform3(-3.0..3.0f64),
            frame_turn in prop::array::uniform3(-3.0..3.0f64),
        ) {
            let intrinsics = Intrinsics { distortion: lens(which), ..Intrinsics::pinhole(64, 48, 40.0, 41.0) };
            let pose = Isometry3::new(Vector3::from(at), Vector3::from(turn));
            let camera = Camera { intrinsics, pose };
            let frame = Similarity3::new(Vector3::new(0.5, 0.25, -1.0), Vector3::from(frame_turn), scale);
            let (origin, direction) = RayCaster::with_frame(&camera, &frame).cast(px, py);
            let ray = camera.ray(px, py);
            let (start, towards) = (frame * ray.origin, frame.isometry.rotation * ray.direction);
            for i in 0..3 {
                prop_assert!((f64::from(origin[i]) - start[i]).abs() < 3e-6);
                prop_assert!((f64::from(direction[i]) - towards[i]).abs() < 1e-7);
            }
        }
    }
}
