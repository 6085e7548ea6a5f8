#![allow(clippy::unwrap_used)]
use super::*;
use crate::capture::Capture;
use crate::views::TrainingViews;
use nalgebra::{Isometry3, Point3, Vector3};
use nerve_data::demo::{self, DemoConfig};
use std::f64::consts::{PI, TAU};

const LENS: Lens = Lens { size: [40, 30], fov: 0.8 };

fn capture() -> Capture {
    let demo = DemoConfig { train: 24, test: 2, resolution: 16, ..DemoConfig::default() };
    let scene = demo::scene(&demo).unwrap();
    Capture::of(&scene, &TrainingViews::new(&scene))
}

/// Cameras on a half circle of radius 2 around (1, 2, 3) at half its height, z up.
fn half(turn: f64) -> Surroundings {
    let (focus, n) = (Point3::new(1.0, 2.0, 3.0), 12);
    let camera = |i: usize| {
        let angle = turn * i as f64 / n as f64;
        let place = focus + Vector3::new(2.0 * angle.cos(), 2.0 * angle.sin(), 1.0);
        Camera::looking_at(LENS.intrinsics(), place, focus, Vector3::z())
    };
    let mut around = Surroundings::of(&capture()).unwrap();
    around.cameras = (0..n).map(camera).collect();
    around.up = Vector3::z();
    around.focus = Some(focus);
    around
}

#[test]
fn the_demo_is_surrounded_and_its_focus_is_its_middle() {
    let around = Surroundings::of(&capture()).unwrap();
    assert!((around.up - Vector3::z()).norm() < 1e-9 && around.surround());
    assert!(around.focus.unwrap().coords.norm() < 0.3, "{:?}", around.focus);
    assert!(!half(PI).surround() && half(TAU).surround());
    assert!(matches!(Surroundings::of(&Capture::default()), Err(PathError::NoCameras)));
}

#[test]
fn cameras_that_look_outward_or_alike_have_no_focus() {
    let mut capture = capture();
    for view in &mut capture.views {
        let center = view.camera.centre();
        let away = center + center.coords;
        view.camera = Camera::looking_at(view.camera.intrinsics, center, away, Vector3::z());
    }
    assert_eq!(Surroundings::of(&capture).unwrap().focus, None);
    for view in &mut capture.views {
        view.camera.pose.rotation = nalgebra::UnitQuaternion::identity();
    }
    let around = Surroundings::of(&capture).unwrap();
    assert_eq!(around.focus, None);
    assert!(matches!(orbit(&around, LENS, 4, &Orbit::default()), Err(PathError::NoFocus)));
    assert_eq!(spiral(&around, LENS, 4).unwrap().len(), 4, "it needs none");
}

#[test]
fn an_orbit_is_level_and_looks_at_the_focus_from_the_cameras_distance() {
    let around = half(PI);
    let focus = around.focus.unwrap();
    let frames = orbit(&around, LENS, 8, &Orbit::default()).unwrap();
    for camera in &frames {
        let offset = camera.centre() - focus;
        assert!((offset.norm() - 5f64.sqrt()).abs() < 1e-9 && (offset.z - 1.0).abs() < 1e-9, "{offset}");
        let (x, y, depth) = camera.project(&focus).unwrap();
        assert!((x - 20.0).abs() < 1e-6 && (y - 15.0).abs() < 1e-6 && depth > 0.0);
        assert!((camera.pose.rotation * Vector3::x()).z.abs() < 1e-9, "the horizon is level");
    }
    assert!(
        (frames[0].centre() - around.cameras[0].centre()).norm() < 1e-9,
        "it begins where the cameras do"
    );
    let turn = (frames[1].centre() - focus).cross(&(frames[2].centre() - focus));
    assert!(turn.z > 0.0, "counter-clockwise from above");
    let high = orbit(&around, LENS, 4, &Orbit { elevation: Some(PI / 2.0), distance: 2.0 }).unwrap();
    assert!((high[0].centre() - (focus + Vector3::z() * 2.0 * 5f64.sqrt())).norm() < 1e-6);
}

#[test]
fn a_spiral_stays_where_the_cameras_are_and_closes() {
    let around = half(0.5);
    let frames = spiral(&around, LENS, 100).unwrap();
    let focus = around.focus.unwrap();
    let reach = around.cameras.iter().map(|c| (c.centre() - frames[0].centre()).norm()).fold(0.0, f64::max);
    for camera in &frames {
        assert!((camera.centre() - frames[0].centre()).norm() < 3.0 * reach);
        assert!((focus - camera.centre()).dot(&camera.forward()) > 0.0);
    }
    assert!((frames[0].centre() - frames[99].centre()).norm() < 0.3 * reach);
    let mut one = around.clone();
    one.cameras.truncate(1);
    assert!(matches!(spiral(&one, LENS, 4), Err(PathError::OnePlace)));
    assert!(matches!(through(&one, LENS, 4, None), Err(PathError::OnePlace)));
}

#[test]
fn a_spline_passes_through_its_keys_at_a_steady_speed() {
    let key = |x: f64, turn: f64| {
        let turn = nalgebra::UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn);
        Key { pose: Isometry3::from_parts(nalgebra::Translation3::new(x, x * x, 0.0), turn), fov: 1.0 + x }
    };
    let keys: Vec<Key> = [0.0, 0.5, 0.6, 2.0].map(|x| key(x, 1.5 * x)).into();
    let frames = interpolate(&keys, false, 1.0, 200);
    let near = |wanted: &Key| {
        let off = |k: &Key| {
            (k.pose.translation.vector - wanted.pose.translation.vector).norm()
                + k.pose.rotation.angle_to(&wanted.pose.rotation)
        };
        frames.iter().map(off).fold(f64::INFINITY, f64::min)
    };
    assert!(keys.iter().all(|key| near(key) < 0.05), "{:?}", keys.iter().map(near).collect::<Vec<_>>());
    assert!((frames[0].fov - 1.0).abs() < 1e-9 && (frames[199].fov - 3.0).abs() < 1e-6);
    let length = |w: &[Key]| {
        (w[1].pose.translation.vector - w[0].pose.translation.vector).norm()
            + w[0].pose.rotation.angle_to(&w[1].pose.rotation)
    };
    let lengths: Vec<f64> = frames.windows(2).map(length).collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    assert!(lengths.iter().all(|l| (l / mean - 1.0).abs() < 0.1), "{lengths:?}");
    // Signs of quaternions make no difference, and a closed way goes on where it began.
    let mut flipped = keys.clone();
    let q = flipped[1].pose.rotation.coords;
    flipped[1].pose.rotation = nalgebra::UnitQuaternion::new_unchecked((-q).into());
    let same = interpolate(&flipped, false, 1.0, 200);
    assert!(same.iter().zip(&frames).all(|(a, b)| a.pose.rotation.angle_to(&b.pose.rotation) < 1e-9));
    let closed = interpolate(&keys, true, 1.0, 400);
    let gap = (closed[399].pose.translation.vector - closed[0].pose.translation.vector).norm();
    assert!(gap > 0.0 && gap < 0.1, "{gap}");
    assert_eq!(interpolate(&keys[..1], true, 1.0, 3), [keys[0]; 3]);
}

#[test]
fn the_way_of_the_cameras_is_found_in_any_order() {
    let around = half(PI);
    let straight = through(&around, LENS, 50, None).unwrap();
    assert!((straight[0].centre() - around.cameras[0].centre()).norm() < 1e-9);
    assert!((straight[49].centre() - around.cameras[11].centre()).norm() < 1e-9, "half a circle is open");
    let mut shuffled = around.clone();
    shuffled.cameras = [5, 0, 9, 3, 11, 7, 1, 10, 4, 8, 2, 6].map(|i| around.cameras[i].clone()).into();
    let length =
        |frames: &[Camera]| frames.windows(2).map(|w| (w[1].centre() - w[0].centre()).norm()).sum::<f64>();
    let found = through(&shuffled, LENS, 50, Some(false)).unwrap();
    assert!(length(&found) < 1.6 * length(&straight), "{} {}", length(&found), length(&straight));
    let whole = through(&half(TAU), LENS, 50, None).unwrap();
    assert!((whole[0].centre() - whole[49].centre()).norm() < 0.5, "a whole circle closes");
}

fn parse(text: &str, normalized: Option<&NormalizedFrame>) -> Result<PathFile, PathError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    read(file.path(), &capture(), normalized)
}

#[test]
fn files_of_three_programs_are_read() {
    let own = r#"{"nerve_path": 1, "fov": 50, "closed": true, "frames": [{"camera_to_world":
        [[1,0,0,1],[0,1,0,2],[0,0,1,3]]}, {"camera_to_world": [[1,0,0,4],[0,1,0,5],[0,0,1,6],[0,0,0,1]], "fov": 40}]}"#;
    let own = parse(own, None).unwrap();
    assert_eq!((own.keys.len(), own.keyframes, own.closed), (2, false, Some(true)));
    assert_eq!(own.keys[1].pose.translation.vector, Vector3::new(4.0, 5.0, 6.0));
    assert!(
        (own.keys[0].fov - 50f64.to_radians()).abs() < 1e-12
            && (own.keys[1].fov - 40f64.to_radians()).abs() < 1e-12
    );

    let studio = r#"{"camera_type": "perspective", "render_height": 1080, "render_width": 1920, "seconds": 4, "is_cycle":
        false, "camera_path": [{"camera_to_world": [1,0,0,1, 0,1,0,2, 0,0,1,3, 0,0,0,1], "fov": 60, "aspect": 1}]}"#;
    let found = parse(studio, None).unwrap();
    assert_eq!((found.size, found.seconds, found.closed), (Some([1920, 1080]), Some(4.0), Some(false)));
    // Moved by (1, 0, 0), then halved: undone the other way round.
    let normalized: NormalizedFrame =
        serde_json::from_str(r#"{"transform": [[1,0,0,1],[0,1,0,0],[0,0,1,0]], "scale": 0.5}"#).unwrap();
    let found = parse(studio, Some(&normalized)).unwrap();
    assert!((found.keys[0].pose.translation.vector - Vector3::new(1.0, 4.0, 6.0)).norm() < 1e-12);
}

/// A pose goes to Instant-NGP's frame by its documented steps, and comes back.
#[test]
fn keyframes_of_instant_ngp_are_where_they_were() {
    let capture = capture();
    let world = capture.views[3].camera.pose;
    let axes = world.rotation.to_rotation_matrix().into_inner();
    let unit = capture.to_unit() * Point3::from(world.translation.vector);
    let cycled = |v: Vector3<f64>| Vector3::new(v.y, v.z, v.x);
    let columns =
        [axes.column(0).into_owned(), -axes.column(1).into_owned(), -axes.column(2).into_owned()].map(cycled);
    let turn = nalgebra::UnitQuaternion::from_matrix(&nalgebra::Matrix3::from_columns(&columns));
    let (q, t) = (turn.coords, cycled(unit.coords));
    let text = format!(
        r#"{{"time": 1, "path": [{{"R": [{}, {}, {}, {}], "T": [{}, {}, {}], "fov": 50, "scale": 1}}]}}"#,
        q.x, q.y, q.z, q.w, t.x, t.y, t.z
    );
    let found = parse(&text, None).unwrap();
    assert!(found.keyframes);
    assert!((found.keys[0].pose.translation.vector - world.translation.vector).norm() < 1e-9);
    assert!(found.keys[0].pose.rotation.angle_to(&world.rotation) < 1e-6);
}

#[test]
fn what_is_no_path_is_said() {
    for (text, part) in [
        ("{", "no camera path"),
        ("{}", "camera_path"),
        (
            r#"{"nerve_path": 2, "frames": [{"camera_to_world": [[1,0,0,1],[0,1,0,2],[0,0,1,3]]}]}"#,
            "later nerve",
        ),
        (r#"{"nerve_path": 1, "frames": []}"#, "no frames"),
        (r#"{"camera_path": [{"camera_to_world": [1,0,0]}]}"#, "frame 0"),
        (r#"{"camera_path": [{"camera_to_world": [[1,0,0,0],[0,1,0,0],[0,0,-1,0]]}]}"#, "mirrored"),
        (r#"{"camera_path": [{"camera_to_world": [[1,0,0,0],[0,1,0,0],[0,0,1,0]], "fov": 180}]}"#, "fov"),
        (r#"{"path": [{"R": [0,0,0,0], "T": [0,0,0]}]}"#, "quaternion"),
    ] {
        let error = parse(text, None).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
