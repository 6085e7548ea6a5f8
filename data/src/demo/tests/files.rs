//! The written folder, read back.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::small;
use crate::demo::{DEPTH_UNIT, DemoConfig, DemoError, render, write};
use crate::npy::write_f32;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The payload of a `.npy` file, and its header's text.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((&bytes[..8], start % 64), (&b"\x93NUMPY\x01\x00"[..], 0));
    let values =
        bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    (String::from_utf8(bytes[10..start].to_vec()).unwrap(), values)
}

#[test]
fn every_file_holds_what_was_rendered() {
    let out = tempfile::tempdir().unwrap();
    let calls = Mutex::new(Vec::new());
    write(out.path(), &small(), &|done, total| calls.lock().unwrap().push((done, total))).unwrap();
    let mut calls = calls.into_inner().unwrap();
    calls.sort_unstable();
    assert_eq!(calls, (1..=5).map(|done| (done, 5)).collect::<Vec<_>>());

    let scene = render(&small()).unwrap();
    for view in &scene.views {
        let split = view.split.name();
        let file = |suffix: &str| out.path().join(split).join(format!("{}{suffix}", view.name));
        let open = |suffix: &str| image::open(file(suffix)).unwrap();
        assert!(open(".png").to_rgba8().as_raw().iter().eq(view.rgba.iter()));
        assert!(open("_label.png").to_luma8().as_raw().iter().eq(view.label.iter()));
        for (&steps, &depth) in open("_depth.png").to_luma16().as_raw().iter().zip(&view.depth) {
            assert!((f64::from(steps) * DEPTH_UNIT - f64::from(depth)).abs() <= 0.5001 * DEPTH_UNIT);
        }
        for (pixel, normal) in open("_normal.png").to_rgb8().pixels().zip(view.normal.rows()) {
            let lit = normal.iter().any(|&n| n != 0.0);
            let near = |(&byte, &n): (&u8, &f32)| (f32::from(byte) / 127.5 - 1.0 - n).abs() < 0.005;
            assert!(if lit { pixel.0.iter().zip(normal).all(near) } else { pixel.0 == [0; 3] });
        }
        let (header, depth) = npy(&file("_depth.npy"));
        assert!(header.contains("'<f4'") && header.contains("(24, 24,)"), "{header}");
        assert!(depth.iter().eq(view.depth.iter()));
        let (header, normal) = npy(&file("_normal.npy"));
        assert!(header.contains("(24, 24, 3,)"), "{header}");
        assert!(normal.iter().eq(view.normal.iter()));

        let transforms = json(&out.path().join(format!("transforms_{split}.json")));
        assert_eq!(transforms["camera_angle_x"], scene.camera_angle_x);
        let path = format!("./{split}/{}", view.name);
        let frame = transforms["frames"].as_array().unwrap().iter().find(|f| f["file_path"] == path).unwrap();
        let matrix = view.pose.to_homogeneous();
        for (r, c) in (0..16).map(|k| (k / 4, k % 4)) {
            let read = frame["transform_matrix"][r][c].as_f64().unwrap();
            assert!((read - matrix[(r, c)]).abs() < 1e-15);
        }
    }
    let labels = json(&out.path().join("labels.json"));
    let names: Vec<&str> =
        labels["classes"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, scene.class_names);
}

#[test]
fn a_smaller_scene_replaces_a_larger_one() {
    let out = tempfile::tempdir().unwrap();
    write(out.path(), &small(), &|_, _| ()).unwrap();
    write(out.path(), &DemoConfig { train: 1, test: 0, ..small() }, &|_, _| ()).unwrap();
    let files = |folder: &str| fs::read_dir(out.path().join(folder)).unwrap().count();
    assert_eq!((files("train"), files("test")), (6, 0));
    let frames = |split: &str| {
        json(&out.path().join(format!("transforms_{split}.json")))["frames"].as_array().unwrap().len()
    };
    assert_eq!((frames("train"), frames("test")), (1, 0));
}

#[test]
fn a_folder_with_other_content_is_left_alone() {
    let out = tempfile::tempdir().unwrap();
    for content in ["photo.jpg", "demo.json"] {
        let folder = out.path().join(content);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(content), "{}").unwrap();
        let error = write(&folder, &small(), &|_, _| ()).unwrap_err();
        assert!(matches!(&error, DemoError::Occupied { path } if *path == folder), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}

#[test]
fn npy_refuses_values_that_do_not_fill_the_shape() {
    let error = write_f32(Vec::new(), &[2, 3], [0.0; 5].into_iter()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
