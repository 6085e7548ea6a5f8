//! Pictures of a ball in a round room, all over textured, so that photographs can be compared.

use std::path::Path;

use nalgebra::{Isometry3, Point3, Vector3};
use rayon::prelude::*;

use super::matrix;
use crate::Camera;
use crate::camera::Intrinsics;
use crate::write::{PixelFormat, write_png};

/// Width and height, and the focal length, in pixels.
const SIZE: (u32, u32) = (120, 90);
const FOCAL: f64 = 100.0;
/// Radius of the ball and of the room, around the origin.
const BALL: f64 = 0.7;
const ROOM: f64 = 9.0;

/// How a view's picture looks.
pub(crate) struct Look {
    /// The seed of the room's texture; without it the room is white and the ball gray.
    pub room: Option<u64>,
    /// Whether there is a ball.
    pub ball: bool,
    /// Brightness, up to 1.
    pub light: f64,
}

/// A number from 0 to 1 that depends on others.
pub(crate) fn chance(seed: u64, a: usize, b: usize) -> f64 {
    let mixed =
        (a as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (b as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let mut h = seed ^ mixed;
    for _ in 0..3 {
        h = (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (h >> 11) as f64 / (1u64 << 53) as f64
}

/// Smooth noise in three dimensions, 0 to 1.
fn noise(seed: u64, p: &Vector3<f64>) -> f64 {
    let octave = |scale: f64| {
        let q = p * scale;
        let (cell, t) = (q.map(f64::floor), q.map(|v| v - v.floor()));
        let corner = |dx: usize, dy: usize, dz: usize| {
            let at = |v: f64, d: usize| (v as i64 + d as i64 + 1000) as usize;
            chance(seed, at(cell.x, dx) * 5003 + at(cell.y, dy), at(cell.z, dz))
        };
        let mix = |a: f64, b: f64, t: f64| a + (b - a) * t;
        let along = |dy, dz| mix(corner(0, dy, dz), corner(1, dy, dz), t.x);
        mix(mix(along(0, 0), along(1, 0), t.y), mix(along(0, 1), along(1, 1), t.y), t.z)
    };
    (octave(1.5) + octave(4.0)) / 2.0
}

/// Writes pictures that are taken from `poses` and a `transforms.json` of Nerfstudio's that says `written` of them.
pub(crate) fn room_scene(
    folder: &Path,
    poses: &[Isometry3<f64>],
    written: &[Isometry3<f64>],
    look: impl Fn(usize) -> Look + Sync,
) {
    let intrinsics = Intrinsics::pinhole(SIZE.0, SIZE.1, FOCAL, FOCAL);
    std::fs::create_dir_all(folder.join("images")).unwrap();
    let frame = |view: usize| {
        let (camera, look) = (Camera { intrinsics, pose: poses[view] }, look(view));
        let origin = camera.centre().coords;
        let meet = |direction: &Vector3<f64>, radius: f64, sign: f64| {
            let b = origin.dot(direction);
            let d = b * b - origin.norm_squared() + radius * radius;
            (d > 0.0).then(|| -b + sign * d.sqrt()).filter(|t| *t > 0.0)
        };
        let value = |x: u32, y: u32| {
            let direction = camera.ray(f64::from(x) + 0.5, f64::from(y) + 0.5).direction;
            let ball = if look.ball { meet(&direction, BALL, -1.0) } else { None };
            let shown = match (ball, meet(&direction, ROOM, 1.0), look.room) {
                (Some(_), _, None) => 0.5,
                (Some(t), _, Some(_)) => noise(3, &((origin + direction * t) * 2.0)),
                (None, Some(t), Some(seed)) => noise(seed, &((origin + direction * t) * 0.5)),
                _ => 1.0,
            };
            (255.0 * look.light * shown) as u8
        };
        let data: Vec<u8> = (0..SIZE.0 * SIZE.1).flat_map(|i| [value(i % SIZE.0, i / SIZE.0); 3]).collect();
        let name = format!("images/{view:02}.png");
        write_png(&folder.join(&name), SIZE.0, SIZE.1, PixelFormat::Rgb, &data).unwrap();
        serde_json::json!({"file_path": name, "transform_matrix": matrix(&written[view])})
    };
    let frames: Vec<_> = (0..poses.len()).into_par_iter().map(frame).collect();
    let file = serde_json::json!({
        "camera_model": "OPENCV", "fl_x": FOCAL, "fl_y": FOCAL, "w": SIZE.0, "h": SIZE.1, "frames": frames,
    });
    std::fs::write(folder.join("transforms.json"), file.to_string()).unwrap();
}

/// Poses that turn round at a distance from a point, a full circle, looking outward and, in turns, up and down.
pub(crate) fn outward(count: usize, arm: f64, point: Point3<f64>) -> Vec<Isometry3<f64>> {
    let at = |i: usize| {
        let (sin, cos) = (i as f64 / count as f64 * std::f64::consts::TAU).sin_cos();
        let eye = point + Vector3::new(cos, sin, 0.0) * arm;
        super::look_at(eye, eye + Vector3::new(cos, sin, 0.2 * ((i % 3) as f64 - 1.0)))
    };
    (0..count).map(at).collect()
}
