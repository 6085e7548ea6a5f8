//! Small scenes on disk for this crate's tests, and the real ones where they are.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Point3, Vector3};
use serde_json::{Value, json};

use crate::write::{Pixels, write_png};

/// A pose at `eye` that looks at `target`, `z` up.
pub(crate) fn look_at(eye: Point3<f64>, target: Point3<f64>) -> Isometry3<f64> {
    Isometry3::look_at_rh(&eye, &target, &Vector3::z()).inverse()
}

/// `count` poses on a circle of that radius around `target`, looking at it.
pub(crate) fn orbit(count: usize, radius: f64, target: Point3<f64>) -> Vec<Isometry3<f64>> {
    let at = |i: usize| {
        let (sin, cos) = (i as f64 / count as f64 * std::f64::consts::TAU).sin_cos();
        look_at(target + Vector3::new(radius * cos, radius * sin, 0.3 * radius), target)
    };
    (0..count).map(at).collect()
}

/// A pose as a file has it.
pub(crate) fn matrix(pose: &Isometry3<f64>) -> Value {
    let m = pose.to_homogeneous();
    json!((0..4).map(|r| (0..4).map(|c| m[(r, c)]).collect::<Vec<_>>()).collect::<Vec<_>>())
}

/// Writes an image of that size whose pixels tell which one it is.
pub(crate) fn picture(path: &Path, width: u32, height: u32, mark: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let data: Vec<u8> = (0..width * height).flat_map(|i| [mark, i as u8, 7, 255]).collect();
    write_png(path, width, height, Pixels::Rgba, &data).unwrap();
}

/// Writes a `transforms.json` and its 8x6 images, `images/00.png` and so on, listed backwards; `edit` may
/// change the JSON before it is written.
pub(crate) fn ngp_scene(folder: &Path, poses: &[Isometry3<f64>], edit: impl FnOnce(&mut Value)) -> PathBuf {
    let frame = |(i, pose): (usize, &Isometry3<f64>)| {
        let name = format!("images/{i:02}.png");
        picture(&folder.join(&name), 8, 6, i as u8);
        json!({"file_path": name, "transform_matrix": matrix(pose)})
    };
    let mut frames: Vec<_> = poses.iter().enumerate().map(frame).collect();
    frames.reverse();
    let mut file = json!({"fl_x": 9.0, "fl_y": 9.25, "w": 8, "h": 6.0, "frames": frames, "unknown": [1, {}]});
    edit(&mut file);
    let path = folder.join("transforms.json");
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

/// A folder of real data, or `None` after saying that `test` is skipped.
pub(crate) fn real_data(test: &str, folder: &str) -> Option<PathBuf> {
    let path = std::env::var_os("NERVE_TEST_DATA").map(|root| Path::new(&root).join("data").join(folder));
    let path = path.filter(|path| path.is_dir());
    if path.is_none() {
        eprintln!("skipped {test}: NERVE_TEST_DATA has no data/{folder}");
    }
    path
}
