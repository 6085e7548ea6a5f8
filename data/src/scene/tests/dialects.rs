//! Forms of `transforms.json` that Instant-NGP and Nerfstudio read beside the usual one.
use std::fs;

use nalgebra::{Isometry3, Point3, Translation3, UnitQuaternion, Vector3};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::assert_has;
use crate::scene::{LoadOptions, Scene, load, outline};
use crate::testing::{matrix, ngp_scene, orbit};

fn scene(edit: impl FnOnce(&mut Value)) -> Scene {
    let folder = tempdir().unwrap();
    ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), edit);
    load(folder.path(), &LoadOptions::default()).unwrap()
}

#[test]
fn comments_and_trailing_commas_are_read() {
    let folder = tempdir().unwrap();
    let path = ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |_| ());
    let text = fs::read_to_string(&path).unwrap();
    let edited = format!(
        "// exported\n{},\n}} // done\n",
        text.trim_end_matches('}').replacen("[{", "[ /* first */ {", 1)
    );
    let edited = edited.replacen("}],", "},],", 1);
    assert_ne!(edited.matches(",]").count(), 0, "{edited}");
    fs::write(&path, edited.replace("}}", "}\n}")).unwrap();
    assert_eq!(outline(folder.path(), &LoadOptions::default()).unwrap().views.len(), 4);
}

#[test]
fn a_box_or_a_number_place_the_scene() {
    let stated = scene(|json| (json["scale"], json["offset"]) = (json!(0.01), json!([-2.5, -1.5, 0.0])));
    let boxed = scene(|json| json["aabb"] = json!([[250, 150, 0], [350, 250, 100]]));
    assert!((stated.frame.to_homogeneous() - boxed.frame.to_homogeneous()).amax() < 1e-12);
    let one = scene(|json| json["offset"] = json!(0.25));
    assert_eq!(one.frame.isometry.translation.vector, Vector3::repeat(0.25));
}

#[test]
fn a_moving_camera_is_taken_half_way() {
    let start = orbit(4, 2.0, Point3::origin())[1];
    let end = Isometry3::from_parts(
        Translation3::from(start.translation.vector + Vector3::new(0.5, 0.0, -0.25)),
        start.rotation * UnitQuaternion::from_euler_angles(0.2, 0.0, 0.0),
    );
    for moves in [false, true] {
        let read = scene(|json| {
            let frame = json["frames"][2].as_object_mut().unwrap();
            let matrix_start = frame.remove("transform_matrix").unwrap();
            frame.insert(
                "transform_matrix_end".into(),
                if moves { matrix(&end) } else { matrix_start.clone() },
            );
            frame.insert("transform_matrix_start".into(), matrix_start);
        });
        let view = read.views.iter().find(|view| view.name == "images/01.png").unwrap();
        let part = if moves { 0.5 } else { 0.0 };
        let want = start.translation.vector + Vector3::new(0.5, 0.0, -0.25) * part;
        assert!((view.camera.pose.translation.vector - want).norm() < 1e-9, "{}", view.camera.pose);
        let turn = start.rotation.angle_to(&view.camera.pose.rotation);
        assert!((turn - 0.2 * part).abs() < 1e-6, "{turn}");
        assert_eq!(read.warnings.len(), usize::from(moves), "{:?}", read.warnings);
    }
}

#[test]
fn colors_that_stand_for_nothing_get_an_alpha() {
    // The test's pictures have red 0 to 3, so none is white; green counts the pixels, blue is 7.
    let white = |on: bool| {
        let folder = tempdir().unwrap();
        ngp_scene(folder.path(), &orbit(4, 2.0, Point3::origin()), |json| {
            json["white_transparent"] = json!(on)
        });
        let picture = ::image::RgbImage::from_fn(8, 6, |x, _| {
            ::image::Rgb(if x < 3 { [255; 3] } else { [250, 255, 255] })
        });
        picture.save(folder.path().join("images/02.png")).unwrap();
        let scene = load(folder.path(), &LoadOptions::default()).unwrap();
        let view = scene.views.into_iter().find(|view| view.name == "images/02.png").unwrap();
        (view.image.channels(), view.image.pixel(2, 1)[3], view.image.pixel(3, 1)[3])
    };
    assert_eq!(white(false), (3, 255, 255));
    assert_eq!(white(true), (4, 0, 255));
}

#[test]
fn downscaled_copies_stand_in_for_all_images_and_not_for_some() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    ngp_scene(root, &orbit(4, 2.0, Point3::origin()), |json| {
        ["w", "h", "fl_x", "fl_y"]
            .iter()
            .for_each(|name| json[*name] = json!(4.0 * json[*name].as_f64().unwrap()));
    });
    fs::rename(root.join("images"), root.join("images_4")).unwrap();
    let read = outline(root, &LoadOptions::default()).unwrap();
    assert!(read.missing.is_empty());
    assert_eq!(read.views[0].camera.intrinsics.fx, 9.0);
    assert_has(&read.warnings.join("\n"), &["downscaled copies do", "_4", "intrinsics were scaled"]);
    fs::create_dir(root.join("images")).unwrap();
    fs::copy(root.join("images_4/01.png"), root.join("images/01.png")).unwrap();
    let read = outline(root, &LoadOptions::default()).unwrap();
    assert_eq!((read.views.len(), read.missing.len()), (1, 3), "what was removed stays out");
}

#[test]
fn frames_beyond_their_number_are_left_out_and_said() {
    let read = scene(|json| json["n_frames"] = json!(3));
    let names: Vec<_> = read.views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["images/00.png", "images/01.png", "images/02.png"]);
    assert_has(&read.warnings.join("\n"), &["n_frames is 3", "of 4"]);
    let read = scene(|json| json["rolling_shutter"] = json!([0, 0, 1]));
    assert_has(&read.warnings.join("\n"), &["rolling_shutter is ignored", "one pose"]);
}
