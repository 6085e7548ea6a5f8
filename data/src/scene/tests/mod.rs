//! Small scenes on disk, read whole.
#![allow(clippy::unwrap_used)]
mod bad_json;
mod dialects;
mod files;
mod formats;
mod load;
mod masks;
mod placement;
mod real;
mod same_rays;
mod transforms;

use std::path::Path;

use nalgebra::Point3;
use serde_json::Value;
use tempfile::tempdir;

use crate::scene::{LoadOptions, Scene, SceneError, load};
use crate::testing::{ngp_scene, orbit};

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
