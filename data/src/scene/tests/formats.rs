//! What Nerfstudio's and Blender's files have of their own.
use std::fs;

use nalgebra::Point3;
use serde_json::json;
use tempfile::tempdir;

use super::{assert_has, load_default, ngp_error};
use crate::scene::{LoadOptions, Scene, SceneFormat, outline};
use crate::testing::{ngp_scene, orbit, picture};
use crate::write::write_blender_transforms;

#[test]
fn nerfstudio_split_lists() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| {
        json["train_filenames"] = json!(["./images/03.png", "images/00.png", "images/77.png"]);
        json["val_filenames"] = json!(["images/01.png", "images/00.png"]);
    });
    let scene = load_default(folder.path()).unwrap();
    let names = |scene: &Scene, split: &[usize]| {
        split.iter().map(|&i| scene.views[i].name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&scene, &scene.splits.train), ["images/03.png", "images/00.png"]);
    assert_eq!(names(&scene, &scene.splits.val), ["images/01.png"]);
    assert_has(&scene.warnings.join("\n"), &["1 file names", "1 frames are in none"]);

    // A test list alone: the others train.
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| {
        json["test_filenames"] = json!(["images/02.png"]);
    });
    let scene = load_default(folder.path()).unwrap();
    assert_eq!(
        (names(&scene, &scene.splits.test), scene.splits.train.len()),
        (vec!["images/02.png".into()], 3)
    );
    assert!(scene.warnings.is_empty(), "{:?}", scene.warnings);
    let error = ngp_error(|json| json["train_filenames"] = json!(["03.png"]));
    assert_has(&error, &["transforms.json: the split lists: name none of the 3 frames", "file_path"]);
}

#[test]
fn a_crop_that_is_not_applied_gives_a_warning() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| {
        json["camera_model"] = json!("OPENCV_FISHEYE");
        json["fisheye_crop_radius"] = json!(3.0);
    });
    let scene = load_default(folder.path()).unwrap();
    assert_has(&scene.warnings.join("\n"), &["fisheye_crop_radius is not applied", "mask_path"]);
}

#[test]
fn points_that_are_not_finite_give_a_warning() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| json["ply_file_path"] = json!("p.ply"));
    let header =
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n";
    fs::write(folder.path().join("p.ply"), format!("{header}end_header\n0 0 0\nnan 0 0\n0 inf 0\n")).unwrap();
    let outline = outline(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(outline.points.len(), 1);
    assert_has(&outline.warnings.join("\n"), &["p.ply: 2 of 3 points are not finite"]);
}

#[test]
fn blender_reads_splits_and_finds_extensions() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    let poses = orbit(5, 2.0, Point3::origin());
    let frames = |split: &str, poses: &[nalgebra::Isometry3<f64>]| {
        let frame = |(i, pose): (usize, &nalgebra::Isometry3<f64>)| (format!("./{split}/r_{i}.0"), *pose);
        poses.iter().enumerate().map(frame).collect::<Vec<_>>()
    };
    write_blender_transforms(&root.join("transforms_train.json"), 0.7, &frames("train", &poses[..3]))
        .unwrap();
    for i in 0..3 {
        picture(&root.join(format!("train/r_{i}.0.png")), 8, 6, i);
    }
    // Training alone: the first view is held out.
    let alone = load_default(root).unwrap();
    assert_eq!((alone.splits.train.len(), &alone.splits.test[..]), (2, &[0][..]));

    write_blender_transforms(&root.join("transforms_val.json"), 0.9, &frames("val", &poses[3..])).unwrap();
    let jpeg = ::image::RgbImage::from_pixel(16, 12, ::image::Rgb([9; 3]));
    fs::create_dir(root.join("val")).unwrap();
    jpeg.save(root.join("val/r_0.0.jpg")).unwrap();
    jpeg.save(root.join("val/r_1.0.jpeg")).unwrap();
    for path in [root.to_owned(), root.join("transforms_val.json")] {
        let scene = load_default(&path).unwrap();
        assert_eq!((scene.splits.train.len(), scene.splits.eval()), (3, &[3, 4][..]));
        assert_eq!((scene.format, scene.aabb_scale), (SceneFormat::Blender, 1));
        assert_eq!(scene.views[4].name, "val/r_1.0");
        assert!((scene.views[4].camera.intrinsics.angle_x() - 0.9).abs() < 1e-12);
        assert!((scene.views[0].camera.intrinsics.angle_x() - 0.7).abs() < 1e-12);
        let off = scene.views[2].camera.pose.to_homogeneous() - poses[2].to_homogeneous();
        assert!(off.amax() < 1e-12, "written and read back");
    }
    fs::remove_file(root.join("transforms_train.json")).unwrap();
    assert_has(&load_default(root).unwrap_err().to_string(), &["transforms_train.json"]);
}

/// Blender's layout as tools write it that turned the world first: with what undoes it, and no placement.
#[test]
fn blenders_files_may_say_what_was_applied() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    let poses = orbit(4, 40.0, Point3::new(100.0, 0.0, 0.0));
    let path = root.join("transforms_train.json");
    let frames: Vec<_> = (0..4).map(|i| (format!("./train/{i}"), poses[i])).collect();
    write_blender_transforms(&path, 0.7, &frames).unwrap();
    for i in 0..4 {
        picture(&root.join(format!("train/{i}.png")), 8, 6, i as u8);
    }
    let mut json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    json["applied_scale"] = json!(0.1);
    json["applied_transform"] = json!([[0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 5.0]]);
    fs::write(&path, json.to_string()).unwrap();
    let scene = load_default(root).unwrap();
    for (view, listed) in scene.views.iter().zip(&poses) {
        let p = listed.translation.vector * 10.0;
        let original = nalgebra::Vector3::new(-p.y, p.x, p.z - 5.0);
        assert!((view.camera.pose.translation.vector - original).norm() < 1e-9);
        let inside = scene.to_unit(&original.into());
        assert!(inside.iter().all(|v| (-1.0..2.0).contains(v)), "placed by the cameras: {inside}");
    }
}
