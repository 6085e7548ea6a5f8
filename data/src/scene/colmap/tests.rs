#![allow(clippy::unwrap_used)]
use std::fs;

use nalgebra::{Isometry3, Point3};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::camera::{Camera, Distortion, Intrinsics};
use crate::scene::{LoadOptions, load, outline};
use crate::testing::{ColmapScene, orbit, picture, real_data};

/// Seventeen views of a few points around (5, 5, 5).
fn model() -> ColmapScene {
    let target = Point3::new(5.0, 5.0, 5.0);
    let mut model = ColmapScene::new("SIMPLE_RADIAL", 8, 6, &[9.0, 4.0, 3.0, 0.05], &orbit(17, 2.0, target));
    model.points = (0..30)
        .map(|i| {
            let at = |k: i32| f64::from((i * k) % 7) / 7.0 - 0.5;
            (target + nalgebra::Vector3::new(at(1), at(3), at(5)), vec![1 + (i % 17) as u32, 17, 1])
        })
        .collect();
    model
}

fn scene(model: &ColmapScene, below: &str, binary: bool) -> TempDir {
    let folder = tempdir().unwrap();
    model.write(folder.path(), below, binary);
    for (i, (_, _, name, _)) in model.images.iter().enumerate() {
        picture(&folder.path().join("images").join(name), 8, 6, i as u8);
    }
    folder
}

#[test]
fn binary_and_text_are_the_same_scene() {
    let model = model();
    for (below, binary) in
        [("sparse/0", true), ("sparse/0", false), ("sparse", true), ("colmap/sparse/0", true), ("", false)]
    {
        let folder = scene(&model, below, binary);
        for path in [folder.path().to_owned(), folder.path().join(below)] {
            let scene = load(&path, &LoadOptions::default()).unwrap();
            assert_eq!((scene.format, scene.views.len()), (SceneFormat::Colmap, 17));
            assert_eq!(scene.splits.test, [0, 8, 16]);
            assert_eq!(Some(scene.name.as_str()), folder.path().file_name().unwrap().to_str());
            for (i, view) in scene.views.iter().enumerate() {
                assert_eq!(view.image.pixel(1, 0)[0], i as u8, "numbers are in order");
                let off = view.camera.pose.to_homogeneous() - model.images[i].3.to_homogeneous();
                assert!(off.amax() < 1e-12);
                let k = &view.camera.intrinsics;
                assert_eq!((k.fx, k.fy, k.cx, k.cy), (9.0, 9.0, 4.0, 3.0));
                assert!(matches!(k.distortion, Distortion::OpenCv { k1: 0.05, .. }));
            }
            let point = &scene.points[3];
            assert_eq!((point.position, point.color), (model.points[3].0, [10, 20, 30]));
            assert_eq!((point.error, &point.views[..]), (0.5, &[0, 3, 16][..]));
            assert!(scene.warnings.is_empty());
        }
    }
}

#[test]
fn points_follow_the_views_that_are_left() {
    let model = model();
    let folder = scene(&model, "sparse/0", true);
    fs::remove_file(folder.path().join("images/0.png")).unwrap();
    let scene = outline(folder.path(), &LoadOptions { max_images: Some(4), ..Default::default() }).unwrap();
    let names: Vec<&str> = scene.views.iter().map(|view| view.name.as_str()).collect();
    for (point, (_, track)) in scene.points.iter().zip(&model.points) {
        let seen: Vec<&str> = point.views.iter().map(|&view| names[view as usize]).collect();
        let mut track: Vec<u32> = track.iter().map(|id| id - 1).collect();
        track.sort_unstable();
        track.dedup();
        let wanted: Vec<String> = track.iter().map(|i| format!("{i}.png")).collect();
        let wanted: Vec<&str> =
            wanted.iter().map(String::as_str).filter(|name| names.contains(name)).collect();
        assert_eq!(seen, wanted);
    }
    assert!(scene.points.iter().any(|point| !point.views.is_empty()));
}

#[test]
fn the_largest_model_is_used_and_said() {
    let model = model();
    let folder = scene(&model, "sparse/10", true);
    let small = ColmapScene { images: model.images[..3].to_vec(), points: Vec::new(), ..model };
    small.write(folder.path(), "sparse/0", true);
    small.write(folder.path(), "sparse/2", false);
    let scene = outline(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(scene.views.len(), 17);
    let said = scene.warnings.join("; ");
    assert!(
        said.contains("3 separate models; model 10 with 17 images is used, left out: 0 with 3, 2 with 3"),
        "{said}"
    );
}

#[test]
fn images_lie_where_they_lie() {
    let mut model = model();
    model.images.truncate(2);
    // Sub-folders, spaces, and a folder whose images are half as large.
    model.images[0].2 = "left cam/1.png".into();
    model.images[1].2 = "right/1.png".into();
    let folder = tempdir().unwrap();
    model.write(folder.path(), "sparse/0", false);
    picture(&folder.path().join("images_2/left cam/1.png"), 4, 3, 0);
    picture(&folder.path().join("images_2/right/1.png"), 4, 3, 1);
    picture(&folder.path().join("masks/left cam/1.png.png"), 4, 3, 0);
    let scene = load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(scene.views[0].name, "left cam/1.png");
    assert_eq!(scene.views[1].camera.intrinsics.fx, 4.5);
    assert!(scene.views[0].mask.is_some() && scene.views[1].mask.is_none());
    let said = scene.warnings.join("\n");
    assert!(
        said.contains("1 of 2 images have no mask: that of right/1.png is masks/right/1.png.png"),
        "{said}"
    );
    // What was taken out of the full images stays out, whatever smaller copies there are.
    picture(&folder.path().join("images/left cam/1.png"), 8, 6, 0);
    fs::remove_dir_all(folder.path().join("masks")).unwrap();
    let full = outline(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!((full.views.len(), full.missing.len(), full.views[0].header.width), (1, 1, 8));
    fs::remove_dir_all(folder.path().join("images")).unwrap();
    fs::remove_dir_all(folder.path().join("images_2")).unwrap();
    let error = outline(folder.path(), &LoadOptions::default()).unwrap_err();
    assert!(
        matches!(&error, SceneError::AllMissing { count: 2, first, .. } if first.ends_with("images/left cam/1.png")),
        "{error}"
    );
}

/// Exporters leave the line out that keypoints have: every second image would go with it.
#[test]
fn an_image_without_its_line_of_keypoints_is_told() {
    let text = |between: &str| {
        let line = |id: usize| format!("{id} 1 0 0 0 0 0 {id} 1 my photo {id}.png\n");
        let lines: Vec<String> = (1..5).map(line).collect();
        format!("# images\n{}", lines.join(between))
    };
    for good in ["\n", "  \n", "1.5 2.5 -1 3.25 4 17\n"] {
        assert_eq!(images::from_text(text(good).as_bytes()).unwrap().len(), 4, "{good:?}");
    }
    for bad in ["", "# keypoints\n", "1.5 2.5\n"] {
        let flaw = images::from_text(text(bad).as_bytes()).unwrap_err();
        assert_eq!(flaw.place, "line 3");
        assert!(
            flaw.problem.contains("image 1") && flaw.problem.contains("perhaps empty"),
            "{}",
            flaw.problem
        );
    }
}

#[test]
fn every_published_model_is_known() {
    // Parameters that a lens of each kind may have.
    for kind in &cameras::CAMERA_MODELS {
        let focal = if kind.name.starts_with("SIMPLE") || kind.name.starts_with("RADIAL") { 1 } else { 2 };
        let mut parameters = vec![9.0; focal];
        parameters.extend([4.0, 3.0]);
        parameters.extend((0..20).map(|i| 0.01 * f64::from(i + 1)));
        parameters.truncate(kind.parameters);
        let model = ColmapScene::new(kind.name, 8, 6, &parameters, &orbit(3, 2.0, Point3::origin()));
        let binary = cameras::from_binary(&model.binary()[0]).unwrap();
        assert_eq!(binary, cameras::from_text(model.text()[0].as_bytes()).unwrap(), "{}", kind.name);
        assert_eq!(binary, model.cameras);
        let folder = scene(&model, "sparse/0", true);
        match outline(folder.path(), &LoadOptions::default()) {
            Ok(scene) => {
                let k = &scene.views[0].camera.intrinsics;
                assert_eq!((k.fx, k.fy, k.cx, k.cy), (9.0, 9.0, 4.0, 3.0), "{}", kind.name);
                assert!(!UNTRAINED.contains(&kind.name));
            }
            Err(error) => {
                let error = error.to_string();
                assert!(UNTRAINED.contains(&kind.name), "{error}");
                assert!(error.contains(kind.name) && error.contains("image_undistorter"), "{error}");
            }
        }
    }
}

const UNTRAINED: [&str; 6] =
    ["FOV", "RAD_TAN_THIN_PRISM_FISHEYE", "SIMPLE_DIVISION", "DIVISION", "EUCM", "EQUIRECTANGULAR"];

#[test]
fn coefficients_go_where_they_belong() {
    let lens = |kind: &str, parameters: &[f64]| {
        ColmapScene::new(kind, 8, 6, parameters, &[]).cameras[0].intrinsics().unwrap().distortion
    };
    let c = [9.0, 9.0, 4.0, 3.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
    assert_eq!(lens("OPENCV", &c[..8]), Distortion::OpenCv { k1: 0.1, k2: 0.2, k3: 0.0, p1: 0.3, p2: 0.4 });
    assert_eq!(lens("OPENCV_FISHEYE", &c[..8]), Distortion::Fisheye { k1: 0.1, k2: 0.2, k3: 0.3, k4: 0.4 });
    let full =
        Distortion::FullOpenCv { above: [0.1, 0.2, 0.5], below: [0.6, 0.7, 0.8], tangential: [0.3, 0.4] };
    assert_eq!(lens("FULL_OPENCV", &c), full);
    let thin = Distortion::ThinPrismFisheye {
        radial: [0.1, 0.2, 0.5, 0.6],
        tangential: [0.3, 0.4],
        prism: [0.7, 0.8],
    };
    assert_eq!(lens("THIN_PRISM_FISHEYE", &c), thin);
    assert_eq!(lens("RADIAL", &[9.0, 4.0, 3.0, 0.0, 0.0]), Distortion::None);
}

/// Where and what of the flaw in one of a model's three files after it was changed.
fn flaw_after(file: usize, change: impl Fn(&mut Vec<u8>), binary: bool) -> String {
    let folder = tempdir().unwrap();
    let mut model = model();
    model.images.truncate(3);
    model.points.truncate(3);
    model.write(folder.path(), "sparse/0", binary);
    (0..3).for_each(|i| picture(&folder.path().join(format!("images/{i}.png")), 8, 6, 0));
    let name = ["cameras", "images", "points3D"][file];
    let path = folder.path().join("sparse/0").join(format!("{name}.{}", if binary { "bin" } else { "txt" }));
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let error = outline(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(
        error.contains(name) && error.contains(folder.path().to_str().unwrap()),
        "names no file: {error}"
    );
    error
}

#[test]
fn broken_binary_files_are_refused_by_place() {
    let put = |at: usize, value: &'static [u8]| {
        move |bytes: &mut Vec<u8>| bytes[at..at + value.len()].copy_from_slice(value)
    };
    const HUGE: [u8; 8] = (1u64 << 60).to_le_bytes();
    for file in 0..3 {
        let error = flaw_after(file, |bytes| bytes[..8].copy_from_slice(&HUGE), true);
        assert!(error.contains("1152921504606846976 entries"), "{error}");
        let error = flaw_after(file, |bytes| _ = bytes.pop(), true);
        assert!(error.contains("whole"), "{error}");
        assert!(flaw_after(file, |bytes| bytes.push(0), true).contains("1 bytes follow"));
        assert!(flaw_after(file, |bytes| bytes.clear(), true).contains("ends here"));
    }
    // Camera: count 8, id 4, model 4, width 8, height 8, parameters.
    const NAN: [u8; 8] = f64::NAN.to_le_bytes();
    const FAR: [u8; 8] = 1e300f64.to_le_bytes();
    for (at, value, what) in [
        (12, &[99, 0, 0, 0][..], "camera 7: its model has the number 99"),
        (12, &[7, 0, 0, 0], "ends here"),
        (16, &[0; 8], "the width is 0"),
        (24, &[0xff; 8], "the height is 18446744073709551615"),
        (32, &[0; 8], "fl_x is 0"),
        (32, &NAN, "fl_x is NaN"),
        (39, &[0xc0], "fl_x is -"),
        (40, &NAN, "cx is not finite"),
        (56, &NAN, "distortion is not finite"),
    ] {
        let error = flaw_after(0, put(at, value), true);
        assert!(error.contains(what), "{at}: {error}");
    }
    // Image: count 8, id 4, quaternion 32, translation 24, camera 4, name, keypoints.
    for (at, value, what) in [
        (12, &NAN[..], "image 1: its rotation"),
        (12, &[0; 8], "image 1: its rotation"),
        (44, &NAN, "image 1: its translation"),
        (44, &FAR, "nowhere that can be computed with"),
        (68, &[9, 0, 0, 0], "image 1: was taken by camera 9, which cameras.bin does not have"),
        (72, &[0xff, 0xfe], "image 1: its name is not UTF-8"),
        (72, b"../ab", "leads out of the image folder"),
        (72, b"/", "leads out of the image folder"),
        (72, &[0], "image 1"),
        (78, &HUGE, "image 1: the number of keypoints: announces"),
    ] {
        let error = flaw_after(1, put(at, value), true);
        assert!(error.contains(what), "{at}: {error}");
    }
    // Point: count 8, id 8, position 24, color 3, error 8, track.
    assert!(flaw_after(2, put(16, &NAN), true).contains("point 1 of 3: its position"));
    assert!(flaw_after(2, put(51, &HUGE), true).contains("the length of its track: announces"));
    let error = flaw_after(
        1,
        |bytes| {
            bytes.truncate(8);
            bytes.fill(0)
        },
        true,
    );
    assert!(error.contains("the number of images: is 0"), "{error}");
}

#[test]
fn broken_text_files_are_refused_by_line() {
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "no {from:?} in {text}");
            *bytes = text.replacen(from, to, 1).into_bytes();
        }
    };
    for (file, from, to, what) in [
        (0, "SIMPLE_RADIAL", "SIMPLE_MAGIC", "line 2: its camera model is \"SIMPLE_MAGIC\""),
        (0, "0.05", "", "line 2: PARAMS is missing"),
        (0, "0.05", "0.05 1", "line 2: SIMPLE_RADIAL has 4 parameters"),
        (0, "9.0", "wide", "line 2: PARAMS is \"wide\""),
        (0, " 8 ", " -8 ", "line 2: WIDTH is \"-8\""),
        (0, "9.0", "-9", "camera 7: fl_x is -9"),
        (0, "9.0", "inf", "camera 7: fl_x is inf"),
        (1, "7 0.png", "8 0.png", "image 1: was taken by camera 8, which cameras.txt does not have"),
        (1, "7 0.png", "7", "image 1: it has no name"),
        (1, "7 0.png", "7 a/../../0.png", "image 1: its name \"a/../../0.png\" leads out"),
        (1, "1 ", "x ", "line 3: IMAGE_ID is \"x\""),
        (2, "10 20 30", "10 20 300", "line 2: B is \"300\""),
        (2, "10 20", "nan 10 20", "line 2: R is \"nan\""),
        (2, " 1 0", " 1", "line 2: POINT2D_IDX is missing"),
    ] {
        let error = flaw_after(file, replace(from, to), false);
        assert!(error.contains(what), "{from} -> {to}: {error}");
    }
    let error = flaw_after(1, |bytes| bytes[30] = 0xff, false);
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn what_is_there_twice_is_refused() {
    for binary in [true, false] {
        let mut twice = model();
        twice.cameras.push(twice.cameras[0].clone());
        let error = outline(scene(&twice, "sparse/0", binary).path(), &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("camera 7: is there twice"), "{error}");
        let mut twice = model();
        twice.images[4].0 = twice.images[9].0;
        let error = outline(scene(&twice, "sparse/0", binary).path(), &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("image 10: is there twice"), "{error}");
    }
}

#[test]
fn a_lost_file_is_named() {
    for (binary, lost) in [(true, "cameras.bin"), (true, "images.bin"), (false, "images.txt")] {
        let folder = scene(&model(), "sparse/0", binary);
        fs::remove_file(folder.path().join("sparse/0").join(lost)).unwrap();
        let error = outline(folder.path(), &LoadOptions::default()).unwrap_err();
        assert!(matches!(&error, SceneError::Io { path, .. } if path.ends_with(lost)), "{error}");
    }
    // The other form of a model that is whole is as good.
    let folder = scene(&model(), "sparse/0", false);
    fs::write(folder.path().join("sparse/0/cameras.bin"), "").unwrap();
    assert_eq!(outline(folder.path(), &LoadOptions::default()).unwrap().views.len(), 17);
    // Of several, one that is torn is named: it may be the largest.
    model().write(folder.path(), "sparse/1", true);
    fs::write(folder.path().join("sparse/1/images.bin"), "abc").unwrap();
    let error = outline(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("sparse/1/images.bin: the number of images: the file ends here"), "{error}");
}

#[test]
fn an_image_of_another_size_is_refused() {
    let folder = scene(&model(), "sparse/0", true);
    picture(&folder.path().join("images/4.png"), 6, 8, 0);
    let error = outline(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(
        error.contains("images.bin: image 5: ") && error.contains("8x6") && error.contains("4.png"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(
        file in 0..3usize, noise in prop::collection::vec(any::<u8>(), 0..60),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let model = model();
        let run = |bytes: &[u8]| {
            let _ = (cameras::from_binary(bytes), images::from_binary(bytes), points::from_binary(bytes));
            let _ = (cameras::from_text(bytes), images::from_text(bytes), points::from_text(bytes));
            for camera in cameras::from_binary(bytes).iter().chain(&cameras::from_text(bytes)).flatten() {
                if let Ok(intrinsics) = camera.intrinsics() {
                    let camera = Camera { intrinsics, pose: Isometry3::identity() };
                    prop_assert!(camera.ray(0.0, 0.0).direction.norm().is_finite());
                }
            }
            Ok(())
        };
        run(&noise)?;
        for mut bytes in [model.binary()[file].clone(), model.text()[file].clone().into_bytes()] {
            for (at, value) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            run(&bytes)?;
            bytes.truncate(cut.index(bytes.len()));
            run(&bytes)?;
        }
    }
}

#[test]
fn real_beer() {
    let Some(path) = real_data("real_beer", "beer") else { return };
    let scene = outline(&path, &LoadOptions::default()).unwrap();
    assert_eq!((scene.views.len(), scene.splits.test.len(), scene.points.len()), (71, 9, 4414));
    assert!(scene.missing.is_empty() && scene.warnings.is_empty());
    for view in &scene.views {
        let k = &view.camera.intrinsics;
        for (x, y) in (0..=8).flat_map(|x| (0..=8).map(move |y| (x, y))) {
            let (px, py) = (f64::from(k.width * x) / 8.0, f64::from(k.height * y) / 8.0);
            let ray = view.camera.ray(px, py);
            let (bx, by, _) = view.camera.project(&(ray.origin + ray.direction * 3.0)).unwrap();
            assert!((bx - px).hypot(by - py) < 1e-6, "{}: {px} {py} became {bx} {by}", view.name);
        }
    }
    // Points are seen where COLMAP saw them: a few pixels at most from where they project, and that on average.
    let (mut sum, mut count) = (0.0, 0);
    for point in &scene.points {
        for &view in &point.views {
            let camera = &scene.views[view as usize].camera;
            let (px, py, depth) = camera.project(&point.position).unwrap();
            let k: &Intrinsics = &camera.intrinsics;
            assert!(depth > 0.0 && px > -3.0 && py > -3.0);
            assert!(px < f64::from(k.width) + 3.0 && py < f64::from(k.height) + 3.0);
            count += 1;
        }
        sum += f64::from(point.error);
    }
    assert!(count > 25_000 && sum / (scene.points.len() as f64) < 1.5);
}
