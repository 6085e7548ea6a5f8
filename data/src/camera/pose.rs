//! Reading a camera-to-world pose from the 4x4 or 3x4 matrix in a file.

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};

/// Largest entry of `R^T R - I`, after the uniform scale is removed, that is accepted as rounding of a rotation.
const DRIFT: f64 = 1e-2;
/// Largest deviation of the last row from `0 0 0 1`.
const LAST_ROW: f64 = 1e-6;

/// Largest coordinate of a camera: beyond it, squared lengths overflow single precision.
pub(crate) const FARTHEST: f64 = 1e15;

/// Why a matrix is not a camera pose.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoseError {
    /// Neither 4x4 nor 3x4.
    #[error("expected 4 rows of 4 numbers, found rows of {0:?}")]
    Shape(Vec<usize>),
    /// An entry is NaN or infinite.
    #[error("row {row}, column {column} is not finite")]
    NotFinite {
        /// Zero-based.
        row: usize,
        /// Zero-based.
        column: usize,
    },
    /// The center is too far away to compute with.
    #[error(
        "the last column puts the camera {0:e} from the origin, too far to compute with; leave the image out"
    )]
    Far(f64),
    /// The last row is not that of a rigid motion.
    #[error("the last row is {0:?}, expected [0, 0, 0, 1]; is the matrix transposed?")]
    LastRow([f64; 4]),
    /// The left 3x3 block is not a rotation.
    #[error("the left 3x3 block is not a rotation: {0}")]
    Rotation(String),
}

/// Reads a camera-to-world matrix, given as its rows (4x4, or 3x4 without the last row).
///
/// A uniform scale of the left 3x3 block is removed (the camera center stays); what then deviates from a
/// rotation by no more than rounding is replaced by the nearest rotation (SVD).
///
/// # Errors
/// If the shape is wrong, an entry is not finite, the camera is too far away, the last row is not `0 0 0 1`, or the block
/// is singular, mirrored, sheared or unevenly scaled.
pub fn pose_from_rows(rows: &[Vec<f64>]) -> Result<Isometry3<f64>, PoseError> {
    if !matches!(rows.len(), 3 | 4) || rows.iter().any(|row| row.len() != 4) {
        return Err(PoseError::Shape(rows.iter().map(Vec::len).collect()));
    }
    for (row, values) in rows.iter().enumerate() {
        if let Some(column) = values.iter().position(|v| !v.is_finite()) {
            return Err(PoseError::NotFinite { row, column });
        }
    }
    if let Some(last) = rows.get(3) {
        let off = last.iter().zip([0.0, 0.0, 0.0, 1.0]).any(|(v, want)| (v - want).abs() > LAST_ROW);
        if off {
            return Err(PoseError::LastRow([last[0], last[1], last[2], last[3]]));
        }
    }
    let linear = Matrix3::from_fn(|r, c| rows[r][c]);
    let centre = Vector3::from_fn(|r, _| rows[r][3]);
    if centre.amax() > FARTHEST {
        return Err(PoseError::Far(centre.amax()));
    }
    Ok(Isometry3::from_parts(Translation3::from(centre), rotation(&linear)?))
}

fn rotation(linear: &Matrix3<f64>) -> Result<UnitQuaternion<f64>, PoseError> {
    let size = linear.norm();
    let det = linear.determinant();
    // |det| of a scaled rotation is (norm / sqrt 3)^3; far below that it is as good as singular.
    if det.is_nan() || det.abs() <= 1e-6 * (size / 3f64.sqrt()).powi(3) {
        return Err(PoseError::Rotation("it is singular".into()));
    }
    if det < 0.0 {
        return Err(PoseError::Rotation(
            "it is mirrored (its determinant is negative): an axis of the camera, a column, or of the world, a row, has the wrong \
             sign; flip the column that is not right, up and backward, or, of a left-handed world, one row in all matrices"
                .into(),
        ));
    }
    let unit = linear / det.cbrt();
    let drift = (unit.transpose() * unit - Matrix3::identity()).amax();
    if drift.is_nan() || drift > DRIFT {
        return Err(PoseError::Rotation(format!(
            "its columns are not orthogonal or differ in length (off by {drift:.3}, allowed {DRIFT})"
        )));
    }
    let svd = unit.svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else {
        return Err(PoseError::Rotation("its singular values cannot be computed".into()));
    };
    Ok(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(u * v_t)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn rows(pose: &Isometry3<f64>, scale: f64) -> Vec<Vec<f64>> {
        let m = pose.to_homogeneous();
        (0..4)
            .map(|r| (0..4).map(|c| if r < 3 && c < 3 { m[(r, c)] * scale } else { m[(r, c)] }).collect())
            .collect()
    }

    proptest! {
        #[test]
        fn round_trip_with_scale_and_drift(
            at in prop::array::uniform3(-9.0..9.0f64), turn in prop::array::uniform3(-3.0..3.0f64),
            scale in 0.01..50.0f64, noise in prop::array::uniform9(-1e-6..1e-6f64),
        ) {
            let pose = Isometry3::new(Vector3::from(at), Vector3::from(turn));
            let mut m = rows(&pose, scale);
            for (i, n) in noise.iter().enumerate() {
                m[i / 3][i % 3] += scale * n;
            }
            let read = pose_from_rows(&m).unwrap();
            prop_assert!(read.rotation.angle_to(&pose.rotation) < 1e-5);
            prop_assert_eq!(read.translation.vector, Vector3::from(at));
            prop_assert!((read.rotation.norm() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn refuses_what_is_no_pose() {
        let pose = Isometry3::new(Vector3::new(1.0, 2.0, 3.0), Vector3::new(0.3, -0.2, 0.9));
        let good = rows(&pose, 1.0);
        assert!(pose_from_rows(&good).is_ok() && pose_from_rows(&good[..3]).is_ok());
        assert!(matches!(pose_from_rows(&good[..2]), Err(PoseError::Shape(_))));

        let broken = |change: &dyn Fn(&mut Vec<Vec<f64>>)| {
            let mut m = good.clone();
            change(&mut m);
            pose_from_rows(&m).unwrap_err()
        };
        assert_eq!(broken(&|m| m[1][3] = f64::NAN), PoseError::NotFinite { row: 1, column: 3 });
        assert_eq!(broken(&|m| m[0][3] = -1e308), PoseError::Far(1e308));
        assert!(matches!(broken(&|m| m[3][0] = 2.0), PoseError::LastRow(_)));
        let rotation = |e: PoseError, what: &str| assert!(e.to_string().contains(what), "{e}");
        rotation(broken(&|m| (0..3).for_each(|r| m[r][0] = -m[r][0])), "mirrored");
        rotation(broken(&|m| (0..3).for_each(|r| m[r][0] = 0.0)), "singular");
        rotation(broken(&|m| m.iter_mut().take(3).for_each(|r| r[..3].fill(0.0))), "singular");
        rotation(broken(&|m| (0..3).for_each(|r| m[r][1] *= 1.2)), "not orthogonal");
    }
}
