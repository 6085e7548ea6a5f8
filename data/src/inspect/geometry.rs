//! Geometry of a set of cameras: their bounding box, and whether they see the unit cube.

use nalgebra::{Point3, Similarity3};
use serde::Serialize;

use crate::camera::{Camera, RayCaster};

/// An axis-aligned box.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Extent {
    /// Smallest coordinates.
    pub min: [f64; 3],
    /// Largest coordinates.
    pub max: [f64; 3],
}

impl Extent {
    /// The smallest box around some points; all zeros around none.
    pub(super) fn of(points: impl Iterator<Item = Point3<f64>>) -> Self {
        let bounds = points.fold(None, |bounds: Option<(Point3<f64>, Point3<f64>)>, p| {
            Some(bounds.map_or((p, p), |(min, max)| (min.inf(&p), max.sup(&p))))
        });
        let (min, max) = bounds.unwrap_or_default();
        Self { min: min.into(), max: max.into() }
    }

    /// Length of the diagonal.
    pub(super) fn diagonal(&self) -> f64 {
        (Point3::from(self.max) - Point3::from(self.min)).norm()
    }
}

/// Whether the optical axis meets the unit cube.
pub(super) fn axis_meets_cube(camera: &Camera, frame: &Similarity3<f64>) -> bool {
    let origin = frame * camera.centre();
    meets_cube(origin.into(), (frame.isometry.rotation * camera.forward()).into())
}

/// Whether any of a grid of rays over the image meets the unit cube; a cube that falls between rays a sixteenth of the
/// image apart is too small to train anyway.
pub(super) fn sees_cube(camera: &Camera, frame: &Similarity3<f64>) -> bool {
    const STEPS: u32 = 16;
    let caster = RayCaster::with_frame(camera, frame);
    let (w, h) = (f64::from(camera.intrinsics.width), f64::from(camera.intrinsics.height));
    let step = |i: u32| f64::from(i) / f64::from(STEPS);
    (0..=STEPS).any(|y| {
        (0..=STEPS).any(|x| {
            let (origin, direction) = caster.cast(step(x) * w, step(y) * h);
            meets_cube(origin.map(f64::from), direction.map(f64::from))
        })
    })
}

/// Whether a half-line meets `[0, 1]^3` (slabs).
fn meets_cube(origin: [f64; 3], direction: [f64; 3]) -> bool {
    let (mut near, mut far) = (0f64, f64::INFINITY);
    for (o, d) in origin.into_iter().zip(direction) {
        if d == 0.0 {
            if !(0.0..=1.0).contains(&o) {
                return false;
            }
            continue;
        }
        let (a, b) = (-o / d, (1.0 - o) / d);
        near = near.max(a.min(b));
        far = far.min(a.max(b));
    }
    near <= far
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Vector3;
    use proptest::prelude::*;

    use super::*;
    use crate::camera::Intrinsics;
    use crate::testing::look_at;

    proptest! {
        #[test]
        fn slabs_agree_with_marching(
            origin in prop::array::uniform3(-2.0..3.0f64), towards in prop::array::uniform3(-1.0..2.0f64),
        ) {
            let (o, t) = (Point3::from(origin), Point3::from(towards));
            let direction = (t - o).normalize();
            let inside = |p: Point3<f64>, slack: f64| p.iter().all(|&c| c >= -slack && c <= 1.0 + slack);
            let marched = |slack| (0..6000).any(|i| inside(o + direction * (f64::from(i) * 1e-3), slack));
            // Marching misses grazing hits and, with slack, makes up a few: the truth lies between.
            let met = meets_cube(origin, direction.into());
            prop_assert!(!marched(0.0) || met);
            prop_assert!(!met || marched(2e-3));
        }
    }

    #[test]
    fn axis_may_miss_what_the_frustum_sees() {
        let centre = Point3::new(0.5, 0.5, 0.5);
        let intrinsics = Intrinsics::pinhole(64, 64, 32.0, 32.0);
        let camera =
            |target: Point3<f64>| Camera { intrinsics, pose: look_at(centre + Vector3::x() * 3.0, target) };
        let world = Similarity3::identity();
        let sees = |camera: &Camera| (axis_meets_cube(camera, &world), sees_cube(camera, &world));
        assert_eq!(sees(&camera(centre)), (true, true));
        assert_eq!(sees(&camera(centre + Vector3::y() * 1.5)), (false, true));
        assert_eq!(sees(&camera(centre + Vector3::x() * 6.0)), (false, false), "looking away");
        let elsewhere = Similarity3::new(Vector3::y() * 2.0, Vector3::zeros(), 1.0);
        assert!(!axis_meets_cube(&camera(centre), &elsewhere), "the cube is elsewhere");
    }

    #[test]
    fn extents() {
        let extent = Extent::of([Point3::new(1.0, -2.0, 3.0), Point3::new(0.0, 5.0, 3.0)].into_iter());
        assert_eq!(extent, Extent { min: [0.0, -2.0, 3.0], max: [1.0, 5.0, 3.0] });
        assert_eq!(extent.diagonal(), 50f64.sqrt());
    }
}
