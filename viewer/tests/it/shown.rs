//! What a recording of each kind of run must hold.
use std::collections::BTreeSet;

use nerve_viewer::{Contents, Entity};

use crate::events::REPORTS;

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn entity<'a>(contents: &'a Contents, path: &str) -> &'a Entity {
    contents.entities.get(path).unwrap_or_else(|| panic!("no {path} in {:#?}", contents.entities.keys()))
}

/// An entity that is the same at all times.
fn fixed(contents: &Contents, path: &str, archetypes: &[&str]) {
    let found = entity(contents, path);
    assert_eq!(found.archetypes, set(archetypes), "{path}");
    assert!(found.static_rows > 0 && found.rows == 0 && found.timelines.is_empty(), "{path}: {found:?}");
}

/// An entity with so many entries on all timelines.
fn timed(contents: &Contents, path: &str, archetype: &str, rows: usize) {
    let found = entity(contents, path);
    assert_eq!(found.archetypes, set(&[archetype]), "{path}");
    assert_eq!((found.rows, found.static_rows), (rows, 0), "{path}");
    assert_eq!(found.timelines, set(&["log_time", "step", "training_time"]), "{path}");
}

/// What `events::scene` must leave.
pub fn scene(contents: &Contents) {
    assert_eq!(contents.application, "nerve_scene");
    assert_eq!(contents.blueprints, 1);
    for camera in ["training/r_1", "training/r_2", "training/r_3", "held_out/r_0"] {
        fixed(contents, &format!("/world/cameras/{camera}"), &["Pinhole", "Transform3D"]);
        fixed(contents, &format!("/world/cameras/{camera}/photo"), &["EncodedImage"]);
    }
    fixed(contents, "/world", &["ViewCoordinates"]);
    fixed(contents, "/world/path/capture", &["LineStrips3D"]);
    fixed(contents, "/world/points/sparse", &["Points3D"]);
    fixed(contents, "/views/r_0/photo", &["EncodedImage"]);
    timed(contents, "/views/r_0/rendering", "EncodedImage", 1);
    timed(contents, "/views/r_0/error", "EncodedImage", 1);
    timed(contents, "/views/r_0/depth", "DepthImage", 1);
    timed(contents, "/world/points/surface/0", "Points3D", 1);
    timed(contents, "/world/mesh/surface", "Mesh3D", 1);
    timed(contents, "/world/cells/occupancy/0", "Points3D", 1);
    timed(contents, "/numbers/loss", "Scalars", REPORTS as usize);
    timed(contents, "/histograms/saliency/p", "BarChart", 1);
    timed(contents, "/log", "TextLog", 1);
    assert!(!contents.entities.contains_key("/numbers/eval/psnr"), "NaN leaves a hole, not a value");
}

/// What `events::labels` must leave.
pub fn labels(contents: &Contents) {
    assert!(contents.blueprints >= 1);
    fixed(contents, "/pictures", &["AnnotationContext"]);
    fixed(contents, "/pictures/street/input", &["EncodedImage"]);
    fixed(contents, "/pictures/street/ground_truth", &["SegmentationImage"]);
    timed(contents, "/pictures/street/prediction", "SegmentationImage", 1);
    timed(contents, "/pictures/street/error", "Image", 1);
    timed(contents, "/pictures/street/score", "EncodedImage", 1);
    timed(contents, "/pictures/street/saliency", "EncodedImage", 1);
    timed(contents, "/pictures/street/depth", "DepthImage", 1);
    timed(contents, "/pictures/street/normals", "EncodedImage", 1);
    for class in ["sky", "road", "car"] {
        timed(contents, &format!("/classes/iou/{class}"), "BarChart", 1);
    }
    timed(contents, "/classes/confusion", "Tensor", 1);
    timed(contents, "/numbers/loss", "Scalars", 1);
}
