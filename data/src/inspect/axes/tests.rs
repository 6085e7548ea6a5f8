#![allow(clippy::unwrap_used)]
use nalgebra::{Point3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::scene::{LoadOptions, outline};
use crate::testing::{Look, look_at, ngp_scene, orbit, outward, room_scene};

/// What is said of poses whose pictures are too small to compare.
fn blind(poses: &[Isometry3<f64>]) -> Axes {
    let folder = tempfile::tempdir().unwrap();
    ngp_scene(folder.path(), poses, |_| {});
    axes(&outline(folder.path(), &LoadOptions::default()).unwrap())
}

/// What is said of poses that are written otherwise than the pictures of a room were taken.
fn seen(poses: &[Isometry3<f64>], written: &[Isometry3<f64>], ball: bool) -> Axes {
    let folder = tempfile::tempdir().unwrap();
    room_scene(folder.path(), poses, written, |_| Look { room: Some(1), ball, light: 1.0 });
    axes(&outline(folder.path(), &LoadOptions::default()).unwrap())
}

/// What a file says that is to be read so.
fn written(reading: &Reading, poses: &[Isometry3<f64>]) -> Vec<Isometry3<f64>> {
    // The matrix whose columns, taken in the reading's order, are those of the pose.
    let mut taken = Matrix3::zeros();
    for (k, column) in reading.columns.iter().enumerate() {
        taken[(usize::from(column.unsigned_abs()) - 1, k)] = f64::from(column.signum());
    }
    let mirrored = reading.handed() < 0;
    let write = |pose: &Isometry3<f64>| {
        let mut rotation = *pose.rotation.to_rotation_matrix().matrix();
        let mut centre = pose.translation.vector;
        if mirrored {
            rotation.row_mut(2).neg_mut();
            centre.z = -centre.z;
        }
        let rotation = Rotation3::from_matrix_unchecked(rotation * taken.transpose());
        let pose = Isometry3::from_parts(
            Translation3::from(centre),
            UnitQuaternion::from_rotation_matrix(&rotation),
        );
        if reading.inverse { pose.inverse() } else { pose }
    };
    poses.iter().map(write).collect()
}

fn close(a: &Isometry3<f64>, b: &Isometry3<f64>) -> bool {
    (a.to_homogeneous() - b.to_homogeneous()).amax() < 1e-9
}

#[test]
fn readings_undo_what_was_written() {
    let poses = orbit(5, 3.0, Point3::new(0.1, -0.2, 0.3));
    let all = Reading::all();
    assert_eq!(all.len(), 50, "24 rotations and a left-handed world, and the inverse of each");
    assert_eq!(all[0], Reading::USUAL);
    for reading in &all {
        for (pose, given) in poses.iter().zip(written(reading, &poses)) {
            let read = reading.pose(&given);
            assert!(close(&read, pose), "{reading:?}");
            assert!(read.rotation.to_rotation_matrix().matrix().determinant() > 0.0, "never mirrored");
        }
        let advice = reading.advice();
        assert_eq!(advice.contains("invert"), reading.inverse, "{advice}");
    }
}

/// What undoes the common wrong readings of an orbit is said.
#[test]
fn photographs_tell_which_reading_is_right() {
    let poses = orbit(40, 4.0, Point3::new(0.0, 0.0, 0.2));
    for reading in &Reading::all()[..4] {
        let said = seen(&poses, &written(reading, &poses), true);
        let usual = *reading == Reading::USUAL;
        assert_eq!(said, if usual { Axes::Usual } else { Axes::Other(reading.advice()) }, "{reading:?}");
    }
}

#[test]
fn without_photographs_to_compare_geometry_tells_the_usual_ones() {
    let poses = orbit(12, 3.0, Point3::new(0.2, 0.1, 0.3));
    assert_eq!(blind(&poses), Axes::Usual);
    for reading in &Reading::all()[1..4] {
        assert_eq!(blind(&written(reading, &poses)), Axes::Other(reading.advice()), "{reading:?}");
    }
    // In a world of any direction, too.
    let turn = Isometry3::rotation(Vector3::new(0.4, 0.2, 1.1));
    let turned: Vec<_> = poses.iter().map(|pose| turn * pose).collect();
    assert_eq!(blind(&turned), Axes::Usual);
    // Cameras that look everywhere, and along a line, are left alone.
    let walk = |i: usize| {
        let eye = Point3::new(f64::from(i as u32), 0.0, 0.0);
        let (sin, cos) = (i as f64 * 0.7).sin_cos();
        look_at(eye, eye + Vector3::new(cos, sin, 0.0))
    };
    assert_eq!(blind(&(0..40).map(walk).collect::<Vec<_>>()), Axes::Usual);
}

#[test]
fn cameras_that_look_outward_are_not_taken_for_turned_axes() {
    let poses = outward(24, 0.5, Point3::new(0.0, 0.0, 1.5));
    let flipped = Reading { inverse: false, columns: Reading::FLIPPED };
    assert_eq!(blind(&poses), Axes::Outward);
    assert_eq!(seen(&poses, &poses, false), Axes::Outward);
    // Nor the other way round: cameras around something, with axes that are turned.
    let around = orbit(40, 4.0, Point3::new(0.0, 0.0, 0.2));
    assert_eq!(seen(&around, &written(&flipped, &around), true), Axes::Other(flipped.advice()));
    assert_eq!(blind(&written(&flipped, &around)), Axes::Other(flipped.advice()));
}

#[test]
fn photographs_from_one_point_are_named() {
    for point in [Point3::origin(), Point3::new(0.0, 0.0, 1.5), Point3::new(3.0, -2.0, 1.0)] {
        let poses = outward(24, 0.0, point);
        assert_eq!(blind(&poses), Axes::OnePoint, "{point}");
        assert_eq!(seen(&poses, &poses, false), Axes::OnePoint, "{point}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Right poses around something are never doubted, however they stand.
    #[test]
    fn cameras_around_something_are_usual(
        eyes in prop::collection::vec((-3.0..3.0f64, -0.5..1.2f64, 2.0..5.0f64), 4..20), aside in 0.0..0.3f64,
    ) {
        let pose = |(i, (turn, high, far)): (usize, &(f64, f64, f64))| {
            let at = Vector3::new(turn.cos() * high.cos(), turn.sin() * high.cos(), high.sin());
            let target = Point3::new(aside * (i as f64).sin(), aside * (i as f64 * 1.7).cos(), 0.0);
            look_at(Point3::from(at * *far), target)
        };
        let poses: Vec<_> = eyes.iter().enumerate().map(pose).collect();
        prop_assert_eq!(blind(&poses), Axes::Usual);
    }
}
