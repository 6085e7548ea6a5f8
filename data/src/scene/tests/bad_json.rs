//! JSON that cannot be used: the error names file and field.
use std::fs;

use nalgebra::Point3;
use serde_json::json;
use tempfile::tempdir;

use super::{assert_has, load_default, ngp_error};
use crate::scene::SceneError;
use crate::testing::{matrix, orbit};

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
        &["frames[1].transform_matrix", "not a rotation", "01.png"],
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
