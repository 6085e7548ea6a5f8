//! Which way is up, by the cameras: the axis that their right vectors span least.
//!
//! Whoever holds a camera level keeps its right vector level, however far it looks up or down. So right vectors span the
//! ground, and up is what is perpendicular to it, even where the cameras stand on one side only; the mean of their up
//! vectors leans toward the side where they are not.

use nalgebra::{Isometry3, Matrix3, SymmetricEigen, Vector3};

/// The right vectors span a plane if, in their second direction, their mean square is at least this: some 4 degrees.
const SPREAD: f64 = 0.005;
/// And if half of them leave the plane by less than this fraction of that spread.
const FLAT: f64 = 0.3;
/// A right vector that leaves the plane by less than this counts in full: some 0.01 degrees.
const LEVEL: f64 = 2e-4;
/// Up is the side of the plane that at least this fraction of the cameras' up vectors is on,
const SAME_SIDE: f64 = 0.8;
/// and on which their mean is at least this high.
const HEIGHT: f64 = 0.1;
/// Without a plane, the cameras have no common up direction if the mean of their up vectors is shorter.
const AGREEMENT: f64 = 0.3;

/// Up in the world, of length 1; `None` if the cameras have no common up direction.
pub(crate) fn up(poses: &[Isometry3<f64>]) -> Option<Vector3<f64>> {
    let ups = || poses.iter().map(|pose| pose.rotation * Vector3::y());
    if let Some(axis) = plane(poses) {
        let heights = || ups().map(|up| up.dot(&axis));
        let mean = heights().sum::<f64>() / poses.len() as f64;
        let axis = if mean < 0.0 { -axis } else { axis };
        let above = ups().filter(|up| up.dot(&axis) > 0.0).count();
        if mean.abs() >= HEIGHT && above as f64 >= SAME_SIDE * poses.len() as f64 {
            return Some(axis);
        }
    }
    let mean = mean_direction(ups());
    (mean.norm() > AGREEMENT).then(|| mean.normalize())
}

/// The axis with the least sum of absolute components of the right vectors, so that a few cameras held otherwise hardly
/// count. `None` if the vectors span no plane: they are nearly parallel, or point everywhere.
fn plane(poses: &[Isometry3<f64>]) -> Option<Vector3<f64>> {
    const ROUNDS: usize = 20;
    let rights: Vec<Vector3<f64>> = poses.iter().map(|pose| pose.rotation * Vector3::x()).collect();
    let mut weights = vec![1.0; rights.len()];
    let mut axis = Vector3::zeros();
    let mut second = 0.0;
    for _ in 0..ROUNDS {
        let total: f64 = weights.iter().sum();
        let spread = rights.iter().zip(&weights).fold(Matrix3::zeros(), |sum, (right, weight)| {
            sum + right * right.transpose() * (weight / total)
        });
        if !spread.iter().all(|v| v.is_finite()) {
            return None;
        }
        let eigen = SymmetricEigen::new(spread);
        let least = eigen.eigenvalues.imin();
        axis = eigen.eigenvectors.column(least).into_owned();
        // The three add up to the largest and the other two.
        second = eigen.eigenvalues.sum() - eigen.eigenvalues.max() - eigen.eigenvalues[least];
        for (weight, right) in weights.iter_mut().zip(&rights) {
            *weight = 1.0 / right.dot(&axis).abs().max(LEVEL);
        }
    }
    let mut tilts: Vec<f64> = rights.iter().map(|right| right.dot(&axis).abs()).collect();
    tilts.sort_by(f64::total_cmp);
    let middle = *tilts.get(tilts.len() / 2)?;
    (second >= SPREAD && middle <= FLAT * second.sqrt()).then_some(axis)
}

/// Mean of unit vectors, those far from it counting less; short where they disagree.
pub(crate) fn mean_direction(vectors: impl Iterator<Item = Vector3<f64>> + Clone) -> Vector3<f64> {
    let mean = |weight: &dyn Fn(&Vector3<f64>) -> f64| {
        let (sum, total) = vectors.clone().fold((Vector3::zeros(), 0.0), |(sum, total), v| {
            let weight = weight(&v);
            (sum + v * weight, total + weight)
        });
        if total > 0.0 { sum / total } else { sum }
    };
    let mut direction = mean(&|_| 1.0);
    for _ in 0..20 {
        // Weiszfeld's step toward the geometric median.
        let here = direction;
        direction = mean(&|v| 1.0 / (v - here).norm().max(1e-3));
    }
    direction
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::{Point3, UnitQuaternion};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{look_at, orbit};

    /// Cameras around the origin, from one azimuth to another, at these elevations; degrees.
    fn arc(count: usize, azimuths: f64, elevation: impl Fn(usize) -> f64) -> Vec<Isometry3<f64>> {
        let at = |i: usize| {
            let (sin, cos) = (azimuths * i as f64 / (count - 1) as f64).to_radians().sin_cos();
            let (up, out) = elevation(i).to_radians().sin_cos();
            look_at(Point3::new(out * cos, out * sin, up) * 3.0, Point3::origin())
        };
        (0..count).map(at).collect()
    }

    fn off(poses: &[Isometry3<f64>]) -> f64 {
        up(poses).unwrap().angle(&Vector3::z()).to_degrees()
    }

    fn off_mean(poses: &[Isometry3<f64>]) -> f64 {
        mean_direction(poses.iter().map(|pose| pose.rotation * Vector3::y()))
            .angle(&Vector3::z())
            .to_degrees()
    }

    #[test]
    fn exact_where_the_mean_leans() {
        for (poses, least) in [
            // Half an orbit, from above; a turntable seen from above, its last views missing; a quarter.
            (arc(40, 180.0, |_| 30.0), 15.0),
            (arc(60, 250.0, |i| if i % 2 == 0 { 40.0 } else { 60.0 }), 11.0),
            (arc(20, 90.0, |i| 20.0 + i as f64), 20.0),
        ] {
            assert!(off_mean(&poses) > least, "the mean is {} off", off_mean(&poses));
            assert!(off(&poses) < 1e-3, "{}", off(&poses));
        }
        assert!(off(&orbit(12, 3.0, Point3::new(1.0, 2.0, 0.5))) < 1e-6);
        assert!(off(&arc(24, 345.0, |_| 80.0)) < 1e-3, "from far above");
        assert!(off(&arc(24, 345.0, |_| -40.0)) < 1e-3, "from below");
    }

    #[test]
    fn cameras_held_otherwise_hardly_count() {
        let mut poses = arc(40, 180.0, |_| 30.0);
        for i in [3, 9, 20, 31] {
            poses[i] *= UnitQuaternion::from_axis_angle(&Vector3::z_axis(), std::f64::consts::FRAC_PI_2);
        }
        assert!(off(&poses) < 0.5, "{}", off(&poses));
    }

    #[test]
    fn without_a_plane_it_is_the_mean_or_none() {
        let sides: Vec<_> = (0..9)
            .map(|i| look_at(Point3::new(f64::from(i), 0.0, 0.0), Point3::new(f64::from(i), 5.0, -1.0)))
            .collect();
        assert!(
            (off(&sides) - 1f64.atan2(5.0).to_degrees()).abs() < 1e-6,
            "all look the same way: {}",
            off(&sides)
        );
        let rolled: Vec<_> = orbit(8, 3.0, Point3::origin())
            .iter()
            .enumerate()
            .map(|(i, pose)| pose * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), i as f64 * 1.57))
            .collect();
        assert_eq!(up(&rolled), None);
        assert_eq!(up(&[]), None);
    }

    proptest! {
        #[test]
        fn small_rolls_tilt_it_little(rolls in prop::collection::vec(-3.0..3.0f64, 40)) {
            let mut poses = arc(40, 180.0, |_| 30.0);
            for (pose, roll) in poses.iter_mut().zip(&rolls) {
                *pose *= UnitQuaternion::from_axis_angle(&Vector3::z_axis(), roll.to_radians());
            }
            prop_assert!(off(&poses) < 3.0, "{}", off(&poses));
        }
    }
}
