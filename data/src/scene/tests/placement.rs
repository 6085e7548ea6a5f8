//! Where cameras and points of every kind are placed in the unit frame.
use std::path::PathBuf;

use nalgebra::{Isometry3, Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;

use crate::camera::Intrinsics;
use crate::image::Clear;
use crate::scene::ScenePoint;
use crate::scene::listing::{ListedFrame, ListedLens, Placement};
use crate::scene::placement::find;
use crate::testing::{look_at, orbit, outward};

fn frames(poses: &[Isometry3<f64>]) -> Vec<ListedFrame> {
    let frame = |pose: &Isometry3<f64>| ListedFrame {
        name: String::new(),
        image: PathBuf::new(),
        pose: *pose,
        lens: ListedLens::Known(Intrinsics::pinhole(8, 6, 9.0, 9.0)),
        mask: None,
        depth: None,
        clear: Clear::default(),
        bounds: None,
        split: None,
        listed_in: PathBuf::new(),
        place: String::new(),
    };
    poses.iter().map(frame).collect()
}

fn point(position: Point3<f64>, views: Vec<u32>) -> ScenePoint {
    ScenePoint { position, color: [0; 3], error: 0.0, views }
}

/// A pose in a world that was turned, moved and stretched.
fn seen_from(world: &Similarity3<f64>, pose: &Isometry3<f64>) -> Isometry3<f64> {
    let centre = world * Point3::from(pose.translation.vector);
    Isometry3::from_parts(Translation3::from(centre), world.isometry.rotation * pose.rotation)
}

const MIDDLE: Point3<f64> = Point3::new(0.5, 0.5, 0.5);

proptest! {
    #[test]
    fn any_world_is_placed_alike(
        turn in prop::array::uniform3(-3.0..3.0f64), shift in prop::array::uniform3(-50.0..50.0f64), size in -3.0..3.0f64,
    ) {
        let world = Similarity3::new(Vector3::from(shift), Vector3::from(turn), 10f64.powf(size));
        let (poses, target) = (orbit(24, 2.0, Point3::new(0.3, 0.2, 0.1)), Point3::new(0.3, 0.2, 0.1));
        let poses: Vec<_> = poses.iter().map(|pose| seen_from(&world, pose)).collect();
        let Placement { frame, .. } = find(&frames(&poses), &[]);
        prop_assert!((frame * (world * target) - MIDDLE).norm() < 1e-6);
        for pose in &poses {
            let centre = frame * Point3::from(pose.translation.vector);
            prop_assert!(((centre - MIDDLE).norm() - 1.0).abs() < 1e-6, "a length of 1 away");
        }
        let up = frame.isometry.rotation * (world.isometry.rotation * Vector3::z());
        prop_assert!((up - Vector3::z()).norm() < 1e-3, "{up}");
    }

    #[test]
    fn no_numbers_make_it_panic(
        numbers in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 12..40),
        views in prop::collection::vec(0..9u32, 0..9),
    ) {
        let isometry = |c: &[f64]| {
            let rotation = UnitQuaternion::from_euler_angles(c[3] % 7.0, c[4] % 7.0, c[5] % 7.0);
            Isometry3::from_parts(Translation3::new(c[0], c[1], c[2]), rotation)
        };
        let poses: Vec<_> = numbers.chunks_exact(6).map(isometry).collect();
        let points: Vec<_> =
            numbers.chunks_exact(3).map(|c| point(Point3::new(c[0], c[1], c[2]), views.clone())).collect();
        let placed = find(&frames(&poses), &points);
        prop_assert!(placed.frame.scaling() > 0.0 && placed.frame.scaling().is_finite());
        prop_assert!(placed.aabb_scale.is_power_of_two() && placed.near.is_none_or(f64::is_finite));
    }
}

#[test]
fn outliers_move_nothing() {
    let target = Point3::new(1.0, 2.0, 3.0);
    let clean = orbit(40, 2.0, target);
    let points = |far: f64| -> Vec<ScenePoint> {
        let at = |i: u32| {
            Vector3::new(f64::from(i % 7) - 3.0, f64::from(i % 5) - 2.0, f64::from(i % 3) - 1.0) * 0.1
        };
        let mut points: Vec<_> =
            (0..200).map(|i| point(target + at(i), vec![i % 40, (i + 9) % 40])).collect();
        points.extend((0..5).map(|i| point(target + at(i) * far, vec![i])));
        points
    };
    let mut wild = clean.clone();
    for (i, pose) in wild.iter_mut().enumerate().take(4) {
        *pose = look_at(Point3::new(3e4, i as f64 * 1e4, -5e4), Point3::new(9e4, 0.0, 1e3));
    }
    let (calm, wild) = (find(&frames(&clean), &points(1.0)), find(&frames(&wild), &points(1e5)));
    assert!((wild.frame.scaling() / calm.frame.scaling() - 1.0).abs() < 0.02);
    assert!((wild.frame * target - MIDDLE).norm() < 0.02, "{}", wild.frame * target);
    assert_eq!((calm.aabb_scale, wild.aabb_scale), (1, 1));
    assert!((wild.near.unwrap() / calm.near.unwrap() - 1.0).abs() < 0.1);
}

#[test]
fn points_make_the_box_and_the_near_plane() {
    let poses = orbit(20, 2.0, Point3::origin());
    let shell = |radius: f64| -> Vec<ScenePoint> {
        let at = |i: u32| {
            let (sin, cos) = (f64::from(i) * 0.7).sin_cos();
            Point3::new(radius * cos, radius * sin, 0.1)
        };
        (0..100).map(|i| point(at(i), (0..20).collect())).collect()
    };
    // Cameras are about 2.09 from the middle, which becomes 1.
    let near = |radius: f64| find(&frames(&poses), &shell(radius));
    assert_eq!(near(0.9).aabb_scale, 1);
    assert_eq!(near(1.5).aabb_scale, 2);
    let placed = near(0.5);
    let plane = placed.near.unwrap() / placed.frame.scaling();
    assert!(plane > 0.5 && plane < 1.6, "nothing is nearer than 1.5: {plane}");
    assert_eq!(find(&frames(&poses), &[]).near, None);
}

#[test]
fn cameras_that_face_one_way_look_along_y() {
    let poses: Vec<_> = (0..12)
        .map(|i| {
            let (x, z) = (f64::from(i % 4) * 0.3, f64::from(i / 4) * 0.3);
            look_at(Point3::new(7.0, x, z), Point3::new(-3.0, x * 0.9, z))
        })
        .collect();
    let mut frames = frames(&poses);
    frames.iter_mut().for_each(|frame| frame.bounds = Some([4.0, 12.0]));
    let placed = find(&frames, &[]);
    let towards = placed.frame.isometry.rotation * -Vector3::x();
    assert!((towards - Vector3::y()).norm() < 0.05, "{towards}");
    // Half way in disparity is 6 before the cameras: the middle of the cube, at a length of 1.
    assert!((placed.frame * Point3::new(1.0, 0.45, 0.3) - MIDDLE).norm() < 0.05);
    assert!((placed.frame.scaling() - 1.0 / 6.0).abs() < 1e-3);
    assert!((placed.near.unwrap() - 0.6 * 4.0 / 6.0).abs() < 1e-3);
    // Twelve deep, the corners of the images are in the box.
    assert!(placed.aabb_scale >= 2);
}

#[test]
fn a_single_camera_has_a_place() {
    let placed = find(&frames(&[look_at(Point3::new(3.0, 1.0, 2.0), Point3::origin())]), &[]);
    assert!((placed.frame * Point3::new(3.0, 1.0, 2.0) - MIDDLE).norm() < 1e-9);
    assert_eq!(placed.frame.scaling(), 1.0);
}

/// Someone who turns round in the middle of a room: walls twelve times as far away as the arm is long are in the box.
#[test]
fn cameras_that_look_outward_get_a_box_with_walls() {
    let poses = outward(24, 0.5, Point3::new(4.0, 2.0, 1.5));
    let placement = find(&frames(&poses), &[]);
    let corner = placement.frame * Point3::new(4.0 + 3.0, 2.0 - 3.0, 0.0);
    let half = f64::from(placement.aabb_scale) / 2.0;
    assert!((corner - MIDDLE).amax() < half, "{corner} beyond {half}");
    for pose in &poses {
        let centre = placement.frame * Point3::from(pose.translation.vector);
        assert!(((centre - MIDDLE).norm() - 0.25).abs() < 1e-6, "{centre}");
    }
    // With points that they see, these tell.
    let walls = (0..24).map(|i| {
        let pose = &poses[i];
        let eye = Point3::from(pose.translation.vector);
        (0..10).map(move |_| point(eye + pose.rotation * Vector3::new(0.0, 0.0, -3.0), vec![i as u32]))
    });
    let placement = find(&frames(&poses), &walls.flatten().collect::<Vec<_>>());
    assert!((placement.frame.scaling() - 1.0 / 3.0).abs() < 1e-6);
}
