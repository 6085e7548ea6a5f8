//! What loading gives: order, frames, sizes, masks, depth maps, limits, and what is missing or damaged.
use std::fs;

use nalgebra::Point3;
use serde_json::json;
use tempfile::tempdir;

use super::{assert_has, load_default, ngp_error};
use crate::camera::Distortion;
use crate::scene::{LoadOptions, SceneError, SceneFormat, Split, load, outline};
use crate::testing::{ngp_scene, orbit, picture};

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

/// What is held out goes by the listed names, whatever is missing; what a run recorded goes before that.
#[test]
fn held_out_views_stay_when_photos_are_missing() {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(20, 2.0, Point3::origin()), |_| {});
    let held_out = |options: &LoadOptions| {
        let scene = load(folder.path(), options).unwrap();
        scene.splits.test.iter().map(|view| scene.views[*view].name[7..9].to_owned()).collect::<Vec<_>>()
    };
    let options = LoadOptions::default();
    assert_eq!(held_out(&options), ["00", "08", "16"]);
    for gone in ["03", "05", "08"] {
        fs::remove_file(folder.path().join(format!("images/{gone}.png"))).unwrap();
    }
    assert_eq!(held_out(&options), ["00", "16"]);
    // An earlier version counted what was left.
    let recorded = |names: &[usize]| {
        let test = |i: usize| if names.contains(&i) { Split::Test } else { Split::Train };
        Some((0..18).map(|i| (format!("images/{i:02}.png"), test(i))).collect())
    };
    let options = LoadOptions { recorded: recorded(&[0, 11]), ..LoadOptions::default() };
    assert_eq!(held_out(&options), ["00", "11"]);
    let options =
        LoadOptions { recorded: recorded(&[0, 11]), max_images: Some(30), ..LoadOptions::default() };
    assert_eq!(load(folder.path(), &options).unwrap().views.len(), 15, "18 and 19 were not in the run");
    // Only what would be held out is left.
    for i in (0..20).filter(|i| i % 8 != 0) {
        let _ = fs::remove_file(folder.path().join(format!("images/{i:02}.png")));
    }
    let scene = load_default(folder.path()).unwrap();
    assert_eq!((scene.splits.train.len(), scene.splits.test.len()), (1, 1));
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
    picture(&root.join("masks/00.png"), 8, 4, 1);
    assert_has(&load(root, &half).unwrap_err().to_string(), &["masks", "8x4", "8x6"]);
    fs::remove_file(root.join("masks/00.png")).unwrap();
    assert_has(&load(root, &half).unwrap_err().to_string(), &["frames[2].mask_path", "00.png"]);
    let error = ngp_error(|json| json["depth_unit_scale_factor"] = json!(0));
    assert_has(&error, &["depth_unit_scale_factor", "positive"]);
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
