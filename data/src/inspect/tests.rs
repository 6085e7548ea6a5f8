#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;
use crate::testing::{look_at, matrix, ngp_scene, orbit, real_data};

fn inspected(poses: &[Isometry3<f64>], edit: impl FnOnce(&mut Value)) -> SceneReport {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), poses, edit);
    inspect(folder.path(), &LoadOptions::default()).unwrap()
}

fn found<'a>(report: &'a SceneReport, what: &str) -> &'a DataProblem {
    let problem = report.problems.iter().find(|p| p.what.contains(what));
    problem.unwrap_or_else(|| panic!("no {what:?} in {:#?}", report.problems))
}

#[test]
fn a_good_scene_has_no_problems() {
    let poses = orbit(16, 3.0, Point3::new(0.1, 0.2, 0.3));
    let report = inspected(&poses, |_| {});
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
    assert_eq!(report.views, ViewCounts { train: 14, val: 0, test: 2 });
    assert_eq!(report.resolutions, [Resolution { width: 8, height: 6, count: 16 }]);
    assert_eq!((report.intrinsics.len(), report.images_with_alpha), (1, 16));
    assert_eq!((report.looking_at_cube, report.seeing_cube), (1.0, 1.0));
    let attention = report.attention.unwrap();
    assert!((Point3::from(attention.world) - Point3::new(0.1, 0.2, 0.3)).norm() < 1e-9);
    assert!((attention.unit[0] - (0.1 * 0.33 + 0.5)).abs() < 1e-9);
    let distance = 3.0 * 1.09f64.sqrt();
    assert!((attention.nearest - distance).abs() < 1e-9 && (attention.farthest - distance).abs() < 1e-9);
    assert_eq!(report.memory.images, 16 * 8 * 6 * 4);
    assert!((report.cameras_world.max[0] - 3.1).abs() < 1e-9);
    assert!((report.cameras_unit.max[0] - (3.1 * 0.33 + 0.5)).abs() < 1e-9);
}

#[test]
fn placement_problems() {
    let far = orbit(9, 3.0, Point3::new(9.0, 0.0, 0.0));
    assert_eq!(found(&inspected(&far, |_| {}), "outside the render box").severity, Severity::Error);
    let boxed = inspected(&far, |json| json["aabb_scale"] = json!(8));
    assert_eq!(found(&boxed, "outside the unit cube").severity, Severity::Warning);
    found(&boxed, "see any of the unit cube");
    found(&inspected(&orbit(9, 0.1, Point3::origin()), |_| {}), "tiny");
    found(&inspected(&orbit(9, 50.0, Point3::origin()), |_| {}), "far outside");
}

#[test]
fn opencv_axes_are_recognised() {
    let turned: Vec<_> = orbit(9, 3.0, Point3::origin())
        .iter()
        .map(|pose| {
            pose * nalgebra::UnitQuaternion::from_axis_angle(
                &nalgebra::Vector3::x_axis(),
                std::f64::consts::PI,
            )
        })
        .collect();
    let report = inspected(&turned, |_| {});
    assert_eq!(report.attention.unwrap().in_front, 0.0);
    assert!(found(&report, "behind 100%").remedy.contains("OpenCV"));
    assert_eq!(report.problems[0].severity, Severity::Error);
}

#[test]
fn pose_problems() {
    let poses = orbit(6, 3.0, Point3::origin());
    let same = inspected(&[poses[0]; 5], |_| {});
    assert_eq!(found(&same, "all poses are identical").severity, Severity::Error);
    let twice = inspected(&poses, |json| json["frames"][4]["transform_matrix"] = matrix(&poses[5]));
    assert_eq!(found(&twice, "1 poses repeat").severity, Severity::Warning);
    let row: Vec<_> =
        (0..4).map(|x| look_at(Point3::new(x.into(), 0.0, 0.0), Point3::new(x.into(), 9.0, 0.0))).collect();
    let parallel = inspected(&row, |_| {});
    found(&parallel, "in parallel");
    assert_eq!(parallel.attention, None);
}

#[test]
fn lens_and_image_problems() {
    let poses = orbit(4, 3.0, Point3::origin());
    let report = inspected(&poses, |json| {
        json["fl_x"] = json!(11.0);
        json["cx"] = json!(1.0);
        json["frames"][0]["cy"] = json!(2.0);
        json["frames"][1]["file_path"] = json!("images/gone.png");
    });
    found(&report, "2 different intrinsics");
    found(&report, "focal lengths differ");
    found(&report, "principal point");
    found(&report, "1 of 4 listed images");
    let text = report.to_string();
    assert!(text.contains("gone.png") && text.contains("WARNING"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["problems"][0]["severity"], "warning");
    assert_eq!((&json["format"], &json["intrinsics"][0]["fx"]), (&json!("instant_ngp"), &json!(11.0)));
}

#[test]
fn a_focal_length_in_another_unit_is_noticed() {
    let poses = orbit(4, 3.0, Point3::origin());
    let wide = |json: &mut Value| (json["fl_x"], json["fl_y"]) = (json!(1.0), json!(1.0));
    let report = inspected(&poses, wide);
    assert!(
        found(&report, "1.00 pixels for images 8 wide is a view of 151.9 degrees")
            .remedy
            .contains("millimeters")
    );
    let fisheye = inspected(&poses, |json| {
        wide(json);
        json["is_fisheye"] = json!(true);
        json["k1"] = json!(0.01);
    });
    assert!(fisheye.problems.iter().all(|p| !p.what.contains("a view of")), "{fisheye}");
}

#[test]
fn the_near_plane_is_reported() {
    let report = inspected(&orbit(9, 3.0, Point3::origin()), |_| {});
    assert!(report.near.is_none() && !report.to_string().contains("nothing nearer"), "{report}");
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(9, 3.0, Point3::origin()), |json| json["ply_file_path"] = json!("p.ply"));
    let points: String = (0..20).map(|i| format!("0.{i:02} 0 0.1\n")).collect();
    let header =
        "ply\nformat ascii 1.0\nelement vertex 20\nproperty float x\nproperty float y\nproperty float z\n";
    std::fs::write(folder.path().join("p.ply"), format!("{header}end_header\n{points}")).unwrap();
    let report = inspect(folder.path(), &LoadOptions::default()).unwrap();
    let near = report.near.unwrap();
    assert!(near > 0.3 && near < 1.0, "the points are at about 1 from the cameras: {near}");
    assert!(report.to_string().contains(&format!("nothing nearer than {near:.3} to a camera")), "{report}");
}

#[test]
fn nothing_held_out_is_noted() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 3.0, Point3::origin()), |_| {});
    let options = LoadOptions { holdout_every: 0, ..Default::default() };
    assert_eq!(found(&inspect(folder.path(), &options).unwrap(), "held out").severity, Severity::Note);
}

#[test]
fn real_scenes_are_sound() {
    for (name, train, test, alpha) in [("nerf_synthetic/lego", 100, 25, 125), ("fox", 43, 7, 0)] {
        let Some(path) = real_data("real_scenes_are_sound", name) else { continue };
        let report = inspect(&path, &LoadOptions::default()).unwrap();
        println!("{report}");
        assert_eq!(report.views, ViewCounts { train, val: 0, test });
        assert_eq!(report.images_with_alpha, alpha);
        assert!(report.problems.iter().all(|p| p.severity == Severity::Note), "{report}");
        assert!(report.seeing_cube > 0.95);
    }
}

#[test]
fn photos_without_a_pose_are_named() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(6, 3.0, Point3::origin()), |_| {});
    for name in ["06.png", "late.jpg"] {
        crate::testing::picture(&folder.path().join("images").join(name), 8, 6, 1);
    }
    std::fs::write(folder.path().join("images/notes.txt"), "").unwrap();
    let report = inspect(folder.path(), &LoadOptions::default()).unwrap();
    let registered = report.registered.as_ref().unwrap();
    assert_eq!((registered.placed, registered.photos), (6, 8));
    assert_eq!(found(&report, "2 of 8 photos have no pose: 06.png, late.jpg").severity, Severity::Warning);
    let some = LoadOptions { max_images: Some(2), ..LoadOptions::default() };
    assert_eq!(
        inspect(folder.path(), &some).unwrap().registered,
        None,
        "views that were not asked for have poses"
    );
}

#[test]
fn pixels_add_their_problems() {
    let folder = tempdir().unwrap();
    let path = ngp_scene(folder.path(), &orbit(4, 3.0, Point3::origin()), |_| {});
    std::fs::copy(folder.path().join("images/00.png"), folder.path().join("images/03.png")).unwrap();
    let mut report = inspect(&path, &LoadOptions::default()).unwrap();
    let images: Vec<_> = (0..4)
        .map(|i| format!("images/{i:02}.png"))
        .map(|name| (name.clone(), folder.path().join(name)))
        .collect();
    report.add_pixels(PixelReport::measure(&images, &|_, _| {}));
    found(&report, "the same pixels, such as images/00.png and images/03.png");
    let text = report.to_string();
    for part in ["sharpness", "exposure", "a pair with the same pixels", "up           +z"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(serde_json::to_value(&report).unwrap()["pixels"]["duplicates"][0][0], "images/00.png");
}

#[test]
fn an_outlier_is_a_problem_and_does_not_move_the_rest() {
    let mut poses = orbit(12, 3.0, Point3::origin());
    poses[5] = look_at(Point3::new(200.0, 3.0, 0.0), Point3::new(200.0, 9.0, 0.0));
    let report = inspected(&poses, |_| {});
    assert!(found(&report, "the camera of images/05.png stands").remedy.contains("--picture"));
    assert!(Point3::from(report.attention.unwrap().world).coords.norm() < 1e-9);
}
