//! Files that are damaged, incomplete or contradict one another: the error names file and place.
use std::fs;

use nalgebra::Isometry3;
use proptest::prelude::*;
use tempfile::tempdir;

use super::{model, scene};
use crate::camera::Camera;
use crate::scene::colmap::{cameras, images, points};
use crate::scene::{LoadOptions, SceneError, outline};
use crate::testing::picture;

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
        assert!(error.contains("complete"), "{error}");
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
        (12, &[0; 8][..], "image 1: its rotation"),
        (44, &FAR, "too far from the origin to compute with"),
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
        assert!(error.to_string().contains("camera 7: occurs twice"), "{error}");
        let mut twice = model();
        twice.images[4].0 = twice.images[9].0;
        let error = outline(scene(&twice, "sparse/0", binary).path(), &LoadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("image 10: occurs twice"), "{error}");
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

/// Exporters leave the line out that keypoints have: every second image would go with it.
#[test]
fn an_image_without_its_line_of_keypoints_is_refused() {
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
            flaw.problem.contains("image 1") && flaw.problem.contains("may be empty"),
            "{}",
            flaw.problem
        );
    }
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
