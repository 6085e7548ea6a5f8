#![allow(clippy::unwrap_used)]
use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;
use crate::camera::Distortion;
use crate::testing::{matrix, ngp_scene, orbit, picture, real_data};
use crate::write::write_blender_transforms;

fn load_default(path: &Path) -> Result<Scene, SceneError> {
    load(path, &LoadOptions::default())
}

/// The error of a three-view scene whose JSON was changed.
fn ngp_error(edit: impl FnOnce(&mut Value)) -> String {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(3, 2.0, Point3::origin()), edit);
    let message = load_default(folder.path()).unwrap_err().to_string();
    assert!(message.contains(&folder.path().display().to_string()), "names no file: {message}");
    message
}

fn assert_has(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn ngp_sorts_by_name_and_holds_out_every_eighth() {
    let folder = tempdir().unwrap();
    let poses = orbit(17, 2.0, Point3::origin());
    ngp_scene(folder.path(), &poses, |json| {
        json["aabb_scale"] = json!(4.0);
        json["k1"] = json!(0.05);
        // Frame 16 comes first in the file; it has a longer lens than the others.
        json["frames"][0]["fl_x"] = json!(20.0);
    });
    let scene = load_default(folder.path()).unwrap();
    assert_eq!(scene.views.len(), 17);
    for (i, view) in scene.views.iter().enumerate() {
        assert_eq!(view.name, format!("images/{i:02}.png"));
        assert_eq!(view.image.pixel(1, 0), [i as u8, 1, 7, 255]);
        assert!((view.camera.pose.to_homogeneous() - poses[i].to_homogeneous()).amax() < 1e-12);
        assert_eq!(view.camera.intrinsics.fx, if i == 16 { 20.0 } else { 9.0 });
        assert!(matches!(view.camera.intrinsics.distortion, Distortion::OpenCv { k1: 0.05, .. }));
    }
    assert_eq!(scene.splits.test, [0, 8, 16]);
    assert_eq!(scene.splits.train.len(), 14);
    assert_eq!((scene.aabb_scale, scene.frame.scaling()), (4, 0.33));
    assert_eq!(scene.to_unit(&Point3::origin()), Point3::new(0.5, 0.5, 0.5));
    assert_eq!(scene.format, SceneFormat::InstantNgp);
    assert!(scene.missing.is_empty() && scene.warnings.is_empty());
    assert_eq!(scene.render_box().0, Point3::new(-1.5, -1.5, -1.5));
}

#[test]
fn views_come_in_the_order_of_their_numbers() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(3, 2.0, Point3::origin()), |json| {
        for (frame, name) in json["frames"].as_array_mut().unwrap().iter_mut().zip(["9", "10", "1"]) {
            let (from, to) =
                (frame["file_path"].as_str().unwrap().to_owned(), format!("images/f_{name}.png"));
            fs::rename(folder.path().join(from), folder.path().join(&to)).unwrap();
            frame["file_path"] = json!(to);
        }
    });
    let scene = load_default(folder.path()).unwrap();
    let names: Vec<_> = scene.views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["images/f_1.png", "images/f_9.png", "images/f_10.png"]);
    assert_eq!(scene.splits.test, [0]);
}

#[test]
fn unit_frame_is_scale_then_offset() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(2, 2.0, Point3::origin()), |json| {
        json["scale"] = json!(0.5);
        json["offset"] = json!([1, 2, 3]);
    });
    let scene = load_default(folder.path()).unwrap();
    let unit = scene.to_unit(&Point3::new(2.0, 4.0, 6.0));
    assert_eq!(unit, Point3::new(2.0, 4.0, 6.0));
    assert_eq!(scene.to_unit(&Point3::origin()), Point3::new(1.0, 2.0, 3.0));
    assert_eq!(scene.to_world(&scene.to_unit(&Point3::new(-2.0, 1.0, 9.0))), Point3::new(-2.0, 1.0, 9.0));
    let centre = scene.to_unit(&scene.views[1].camera.centre());
    let (origin, _) = scene.caster(1).unwrap().cast(3.0, 3.0);
    assert!((0..3).all(|i| (f64::from(origin[i]) - centre[i]).abs() < 1e-6));
    assert!(scene.caster(2).is_none());
}

#[test]
fn downscale_divides_images_and_intrinsics() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(2, 2.0, Point3::origin()), |json| json["cx"] = json!(3.0));
    let scene = load(folder.path(), &LoadOptions { downscale: 4, ..Default::default() }).unwrap();
    let view = &scene.views[0];
    assert_eq!((view.image.width(), view.image.height()), (2, 1));
    let k = &view.camera.intrinsics;
    assert_eq!((k.width, k.height, k.fx, k.fy, k.cx, k.cy), (2, 1, 2.25, 2.3125, 0.75, 0.75));
    let error = load(folder.path(), &LoadOptions { downscale: 7, ..Default::default() }).unwrap_err();
    assert_has(&error.to_string(), &["transforms.json", "frames[", "by 7"]);
}

#[test]
fn missing_images_are_named_and_left_out() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |_| {});
    fs::remove_file(folder.path().join("images/02.png")).unwrap();
    let scene = load_default(folder.path()).unwrap();
    assert_eq!(scene.missing, [folder.path().join("images/02.png")]);
    assert_eq!(scene.views.len(), 3);
    fs::remove_dir_all(folder.path().join("images")).unwrap();
    let error = load_default(folder.path()).unwrap_err();
    assert!(matches!(error, SceneError::AllMissing { count: 4, .. }));
    assert_has(&error.to_string(), &["transforms.json", "none of the 4", "03.png"]);
}

#[test]
fn sizes_come_from_the_image_or_scale_to_it() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(1, 2.0, Point3::origin()), |json| {
        json.as_object_mut().unwrap().remove("w");
        json.as_object_mut().unwrap().remove("h");
    });
    let k = load_default(folder.path()).unwrap().views[0].camera.intrinsics;
    assert_eq!((k.width, k.height, k.cx, k.cy), (8, 6, 4.0, 3.0));

    ngp_scene(folder.path(), &orbit(1, 2.0, Point3::origin()), |json| {
        json["w"] = json!(16);
        json["h"] = json!(12);
    });
    let scene = load_default(folder.path()).unwrap();
    assert_eq!((scene.views[0].camera.intrinsics.fx, scene.warnings.len()), (4.5, 1));
    let error = ngp_error(|json| json["w"] = json!(16));
    assert_has(&error, &["transforms.json", "w, h are 16x6", "8x6", ".png"]);
}

#[test]
fn masks_and_depths_come_with_their_images() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    ngp_scene(root, &orbit(3, 2.0, Point3::origin()), |json| {
        json["frames"][2]["mask_path"] = json!("./masks/00.png");
        json["frames"][2]["depth_file_path"] = json!("depth/00.png");
        json["frames"][1]["depth_file_path"] = json!("depth/gone.png");
        json["depth_unit_scale_factor"] = json!(0.5);
    });
    fs::create_dir(root.join("masks")).unwrap();
    fs::create_dir(root.join("depth")).unwrap();
    let mask = ::image::GrayImage::from_fn(8, 6, |x, y| ::image::Luma([u8::from((x, y) != (3, 2))]));
    mask.save(root.join("masks/00.png")).unwrap();
    let depth = ::image::ImageBuffer::<::image::Luma<u16>, _>::from_pixel(8, 6, ::image::Luma([6u16]));
    depth.save(root.join("depth/00.png")).unwrap();

    let half = LoadOptions { downscale: 2, ..Default::default() };
    let scene = load(root, &half).unwrap();
    assert_has(&scene.warnings.join(";"), &["1 listed depth maps"]);
    let view = &scene.views[0];
    let mask = view.mask.as_ref().unwrap();
    assert_eq!((mask.width(), mask.height()), (4, 3));
    assert_eq!(mask.data().iter().filter(|counts| !**counts).count(), 1);
    assert!(!mask.counts(1, 1));
    assert_eq!(view.depth.as_ref().unwrap().data(), [3.0; 12]);
    assert!(scene.views[1..].iter().all(|view| view.mask.is_none() && view.depth.is_none()));
    let outline = outline(root, &half).unwrap();
    assert_eq!(outline.memory().images, (3 * 4 + 1 + 4) * 12);

    fs::write(root.join("masks/00.png"), fs::read(root.join("images/00.png")).unwrap()).unwrap();
    assert!(load(root, &half).is_ok(), "any image is a mask");
    picture(&root.join("masks/00.png"), 8, 5, 1);
    assert_has(&load(root, &half).unwrap_err().to_string(), &["masks", "8x5", "8x6"]);
    fs::remove_file(root.join("masks/00.png")).unwrap();
    assert_has(&load(root, &half).unwrap_err().to_string(), &["frames[2].mask_path", "00.png"]);
    let error = ngp_error(|json| json["depth_unit_scale_factor"] = json!(0));
    assert_has(&error, &["depth_unit_scale_factor", "positive"]);
}

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
fn a_crop_that_is_not_applied_is_said() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| {
        json["camera_model"] = json!("OPENCV_FISHEYE");
        json["fisheye_crop_radius"] = json!(3.0);
    });
    let scene = load_default(folder.path()).unwrap();
    assert_has(&scene.warnings.join("\n"), &["fisheye_crop_radius is not applied", "mask_path"]);
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

#[test]
fn points_that_are_not_finite_are_said() {
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
fn limits_count_and_memory() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(16, 2.0, Point3::origin()), |_| {});
    let limited = load(folder.path(), &LoadOptions { max_images: Some(4), ..Default::default() }).unwrap();
    assert_eq!((limited.splits.train.len(), limited.splits.test.len()), (4, 2));

    let outline = outline(folder.path(), &LoadOptions { downscale: 2, ..Default::default() }).unwrap();
    let memory = outline.memory();
    assert_eq!(memory.images, 16 * 4 * 3 * 4);
    assert!(memory.decoding >= 8 * 6 * 4 && memory.decoding.is_multiple_of(8 * 6 * 4));
    let memory_limit = Some(16 * 4 * 3 * 4);
    let error = load(folder.path(), &LoadOptions { downscale: 2, memory_limit, ..Default::default() });
    assert_has(&error.unwrap_err().to_string(), &["larger downscale"]);
}

#[test]
fn malformed_json_names_file_and_field() {
    assert_has(
        &ngp_error(|j| j["frames"][1]["transform_matrix"] = json!(3)),
        &["frames[1].transform_matrix"],
    );
    assert_has(
        &ngp_error(|j| j["frames"][1]["transform_matrix"][2][0] = json!("x")),
        &["frames[1].tr", "[2][0]"],
    );
    assert_has(&ngp_error(|j| j["frames"][2]["file_path"] = json!(null)), &["frames[2].file_path"]);
    assert_has(
        &ngp_error(|j| _ = j["frames"][0].as_object_mut().unwrap().remove("file_path")),
        &["frames[0]", "file_path"],
    );
    assert_has(&ngp_error(|j| j["frames"][0]["k1"] = json!([])), &["frames[0].k1"]);
    assert_has(&ngp_error(|j| j["fl_x"] = json!("wide")), &["fl_x", "string"]);
    assert_has(&ngp_error(|j| j["frames"] = json!([])), &["frames", "empty"]);
    assert_has(&ngp_error(|j| _ = j.as_object_mut().unwrap().remove("frames")), &["frames", "missing"]);
    assert_has(&ngp_error(|j| *j = json!([1, 2])), &["as a whole", "is a list", "an object", "frames"]);
    assert_has(&ngp_error(|j| *j = json!("frames")), &["as a whole", "is a text"]);
    assert_has(&ngp_error(|j| j["frames"][0] = json!(["a.png", []])), &["frames[0]: is a list", "file_path"]);
    for bad in [json!(3), json!(0), json!(-2), json!(256), json!(0.5)] {
        assert_has(&ngp_error(|j| j["aabb_scale"] = bad), &["aabb_scale", "power of two"]);
    }
    assert_has(&ngp_error(|j| j["scale"] = json!(-1)), &["scale", "positive"]);
    assert_has(&ngp_error(|j| j["offset"] = json!([1, 2])), &["offset"]);
    assert_has(
        &ngp_error(|j| j["frames"][1]["transform_matrix"][0] = json!([9, 9, 9, 0])),
        &["frames[1].transform_matrix", "no rotation", "01.png"],
    );
}

#[test]
fn text_that_is_no_json() {
    let folder = tempdir().unwrap();
    let pose = matrix(&orbit(1, 2.0, Point3::origin())[0]).to_string();
    let whole = format!(r#"{{"fl_x": 9, "frames": [{{"file_path": "a.png", "transform_matrix": {pose}}}]}}"#);
    let message = |text: &str| {
        fs::write(folder.path().join("transforms.json"), text).unwrap();
        let message = load_default(folder.path()).unwrap_err().to_string();
        assert_has(&message, &["transforms.json"]);
        message
    };
    // Whole, it fails only for want of the image.
    assert_has(&message(&whole), &["none of the 1"]);
    assert_has(&message(&whole[..whole.len() - 9]), &["frames[0].transform_matrix", "EOF"]);
    let nan = whole.replacen("0.0,", "NaN,", 1);
    assert_ne!(nan, whole);
    assert_has(&message(&nan), &["frames[0].transform_matrix[", "is NaN, not a number; leave out", "line 1"]);
    for (number, said) in
        [("Infinity", "is Infinity"), ("-Infinity", "is Infinity"), ("-NaN", "is NaN"), ("Nun", "line")]
    {
        let text = whole.replacen("0.0,", &format!("{number},"), 1);
        assert_has(&message(&text), &["frames[0].transform_matrix[", said]);
        let spread = text.replace(", ", ",\n  ");
        assert_has(&message(&spread), &["frames[0].transform_matrix[", said]);
    }
    let infinite = whole.replacen("0.0,", "1e999,", 1);
    assert_has(&message(&infinite), &["frames[0].transform_matrix[", "out of range"]);
    assert_has(&message(&format!("{whole} more")), &["after the end"]);
    message("");
    message("[]");
    fs::write(folder.path().join("transforms.json"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(matches!(load_default(folder.path()), Err(SceneError::Io { .. })));
}

#[test]
fn a_damaged_image_is_named() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(3, 2.0, Point3::origin()), |_| {});
    let image = folder.path().join("images/01.png");
    let bytes = fs::read(&image).unwrap();
    // The header is whole, the pixels are not: the outline is fine, loading is not.
    fs::write(&image, &bytes[..bytes.len() - 30]).unwrap();
    assert!(outline(folder.path(), &LoadOptions::default()).is_ok());
    assert_has(&load_default(folder.path()).unwrap_err().to_string(), &["01.png"]);
    fs::write(&image, "text").unwrap();
    assert_has(&load_default(folder.path()).unwrap_err().to_string(), &["01.png", "not a PNG"]);
}

#[test]
fn real_lego() {
    let Some(path) = real_data("real_lego", "nerf_synthetic/lego") else { return };
    let options = LoadOptions { downscale: 4, max_images: Some(10), ..Default::default() };
    let all = outline(&path, &LoadOptions::default()).unwrap();
    assert_eq!((all.splits.train.len(), all.splits.test.len(), all.splits.val.len()), (100, 25, 0));
    let scene = load(&path, &options).unwrap();
    assert_eq!((scene.splits.train.len(), scene.splits.test.len()), (10, 10));
    let view = &scene.views[0];
    assert!(view.image.has_alpha() && view.image.width() == 200);
    assert!((view.camera.intrinsics.fx - 277.7777).abs() < 1e-3);
    assert_eq!(view.image.pixel(0, 0)[3], 0, "the corner is background");
}

#[test]
fn real_fox() {
    let Some(path) = real_data("real_fox", "fox") else { return };
    let scene = load(&path, &LoadOptions { downscale: 8, ..Default::default() }).unwrap();
    assert_eq!((scene.views.len(), scene.splits.train.len(), scene.splits.test.len()), (50, 43, 7));
    assert!(scene.missing.is_empty() && scene.warnings.is_empty(), "{:?}", scene.warnings);
    assert_eq!((scene.aabb_scale, scene.views[0].name.as_str()), (4, "images/0001.jpg"));
    let k = &scene.views[0].camera.intrinsics;
    assert_eq!((k.width, k.height, k.fx), (135, 240, 1375.52 / 8.0));
    assert!(matches!(k.distortion, Distortion::OpenCv { k2: -0.0805099, .. }));
}
