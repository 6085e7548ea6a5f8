//! Neither bytes nor values make the JSON's parser panic, and what it lets through can be computed with.
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::camera::{FARTHEST, Intrinsics, Lens};
use crate::scene::transforms;

/// Every field that is read.
fn whole() -> Value {
    let rows = json!([[1, 0, 0, 0.5], [0, 0, -1, 2], [0, 1, 0, 0.25], [0, 0, 0, 1]]);
    json!({
        "camera_model": "OPENCV", "camera_angle_x": 1.0, "camera_angle_y": 0.8, "fl_x": 500, "fl_y": 501.5, "cx": 320,
        "cy": 240, "w": 640, "h": 480, "k1": 0.1, "k2": -0.05, "k3": 0.01, "k4": 0, "p1": 1e-3, "p2": -1e-3,
        "is_fisheye": false, "depth_unit_scale_factor": 1e-3, "fisheye_crop_radius": null,
        "applied_transform": [[1, 0, 0, 0.25], [0, 0, 1, -1], [0, -1, 0, 3]], "applied_scale": 0.5,
        "ply_file_path": "points.ply", "train_filenames": ["a.png"], "test_filenames": ["b.png"],
        "frames": [
            {"file_path": "a.png", "transform_matrix": rows, "mask_path": "m.png", "depth_file_path": "d.npy"},
            {"file_path": "./b.png", "transform_matrix": rows, "fl_x": 400, "camera_model": "OPENCV_FISHEYE"},
        ],
    })
}

/// Where in a file a value stands, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, v)| places(v, &format!("{at}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3.0..3.0f64).prop_map(Value::from),
        "[A-Z_./0-9]{0,12}".prop_map(Value::from),
        prop::collection::vec(-1e3..1e3f64, 0..5).prop_map(Value::from),
    ]
}

/// Whatever the coefficients are.
fn every_pixel_has_a_ray(k: &Intrinsics) {
    let lens = Lens::new(k.distortion);
    let (w, h) = (f64::from(k.width), f64::from(k.height));
    for (px, py) in [(0.5, 0.5), (w / 2.0, h / 2.0), (w - 0.5, h - 0.5)] {
        let direction = lens.direction(k.normalised(px, py));
        let _ = lens.image(direction);
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Ok(file) = transforms::parse(Path::new("transforms.json"), text) else { return Ok(()) };
    prop_assert!(!file.frames.is_empty());
    let scale = file.placement.frame.scaling();
    prop_assert!(scale > 0.0 && scale.is_finite() && file.placement.aabb_scale.is_power_of_two());
    for frame in &file.frames {
        let place = frame.pose.translation.vector;
        prop_assert!(place.iter().all(|v| v.abs() <= FARTHEST), "{place}");
        let unit = frame.depth.as_ref().map_or(1.0, |depth| depth.unit);
        prop_assert!(unit > 0.0 && unit.is_finite(), "{unit}");
        if let Ok(resolved) = frame.lens.over(&file.lens).resolve(640, 480) {
            prop_assert!(resolved.intrinsics.validate().is_ok());
            every_pixel_has_a_ray(&resolved.intrinsics);
        }
    }
    Ok(())
}

#[test]
fn the_whole_file_is_read() {
    let file = transforms::parse(Path::new("transforms.json"), &whole().to_string()).unwrap();
    assert_eq!(file.frames.len(), 2);
    assert!(file.origin.is_some() && file.split_lists[0].is_some());
}

#[test]
fn scales_that_lead_out_of_the_numbers_are_refused() {
    for (field, value) in [("applied_scale", 1e-300), ("depth_unit_scale_factor", 1e308)] {
        let mut file = whole();
        file[field] = json!(value);
        let error = transforms::parse(Path::new("transforms.json"), &file.to_string()).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
}

proptest! {
    #[test]
    fn no_value_makes_it_panic(
        changes in prop::collection::vec((any::<Index>(), anything()), 1..4), placed in any::<bool>(),
    ) {
        let mut file = whole();
        if placed {
            (file["aabb_scale"], file["scale"], file["offset"]) = (json!(4), json!(0.33), json!([0.5, 0, 1]));
        }
        for (at, value) in changes {
            let mut all = Vec::new();
            places(&file, "", &mut all);
            *file.pointer_mut(at.get(&all).as_str()).unwrap() = value;
        }
        check(&file.to_string())?;
    }

    #[test]
    fn no_bytes_make_it_panic(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6), cut in any::<Index>(),
    ) {
        let mut bytes = whole().to_string().into_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check(&String::from_utf8_lossy(&bytes))?;
        bytes.truncate(cut.index(bytes.len()));
        check(&String::from_utf8_lossy(&bytes))?;
    }
}
