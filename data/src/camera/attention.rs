//! What cameras look at together.

use nalgebra::{Isometry3, Matrix3, Point3, SymmetricEigen, Vector3};

/// The mean squared sine of the angles to their common direction at which axes are parallel: 1e-5 is a spread of 0.2 degrees.
const PARALLEL: f64 = 1e-5;

/// The point with the least sum of squared distances to all optical axes. `None` if the axes are (nearly)
/// parallel, as for a single camera: then there is no such point, or it lies arbitrarily far away.
pub(crate) fn attention(poses: &[Isometry3<f64>]) -> Option<Point3<f64>> {
    meeting_point(poses, PARALLEL)
}

/// The point with the least sum of squared distances to all optical axes, of camera-to-world poses. `None` if the mean
/// squared sine of the angles to their common direction is not above `parallel`: then there is no such point, or it lies
/// far away.
pub fn meeting_point(poses: &[Isometry3<f64>], parallel: f64) -> Option<Point3<f64>> {
    // Normal equations: the sum over cameras of (I - d d^T)(x - o) is zero. Relative to the centers' mean, so
    // that a scene far from the origin loses no digits.
    let mean =
        poses.iter().map(|pose| pose.translation.vector).sum::<Vector3<f64>>() / poses.len().max(1) as f64;
    let mut matrix = Matrix3::zeros();
    let mut right = Vector3::zeros();
    for pose in poses {
        let d = pose.rotation * Vector3::z();
        let across = Matrix3::identity() - d * d.transpose();
        matrix += across;
        right += across * (pose.translation.vector - mean);
    }
    // The smallest eigenvalue, per camera, is the mean squared sine of the angles to the common direction.
    let least = SymmetricEigen::new(matrix).eigenvalues.min();
    if least.is_nan() || least <= parallel * poses.len() as f64 {
        return None;
    }
    matrix.try_inverse().map(|inverse| Point3::from(mean + inverse * right))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{look_at, orbit};

    proptest! {
        #[test]
        fn attention_finds_the_common_point(
            at in prop::array::uniform3(-5.0..5.0f64), eyes in prop::collection::vec(prop::array::uniform3(-1.0..1.0f64), 4..9),
        ) {
            let target = Point3::from(at);
            let far = |eye: &[f64; 3]| Vector3::from(*eye) + Vector3::new(3.0, 0.0, 0.0);
            let mut poses: Vec<_> = eyes.iter().map(|eye| look_at(target + far(eye), target)).collect();
            poses.push(look_at(target + Vector3::new(0.0, 3.0, 0.1), target));
            prop_assert!((attention(&poses).unwrap() - target).norm() < 1e-8);
        }
    }

    #[test]
    fn parallel_axes_have_no_common_point() {
        let along = |x: f64| look_at(Point3::new(x, 0.0, 0.0), Point3::new(x, 5.0, 0.0));
        assert_eq!(attention(&[along(0.0), along(1.0), along(2.0)]), None);
        assert_eq!(attention(&[along(0.0)]), None);
        assert_eq!(attention(&[]), None);
        assert!(attention(&orbit(3, 2.0, Point3::origin())).is_some());
    }
}
