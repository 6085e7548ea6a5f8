//! Small scenes on disk for this crate's tests, and the real ones where they are.
#![allow(clippy::unwrap_used)]

mod room;

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Point3, Vector3};
use serde_json::{Value, json};

use crate::scene::colmap::cameras::{CAMERA_MODELS, ModelCamera};
use crate::write::{PixelFormat, write_png};

pub(crate) use room::{Look, chance, outward, room_scene};

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
    write_png(path, width, height, PixelFormat::Rgba, &data).unwrap();
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

/// A camera, and images with their poses, as COLMAP stores them: for writing models.
pub(crate) struct ColmapScene {
    pub cameras: Vec<ModelCamera>,
    /// Id, camera, name, camera-to-world in this crate's axes.
    pub images: Vec<(u32, u32, String, Isometry3<f64>)>,
    /// Position, and the ids of the images that saw it.
    pub points: Vec<(Point3<f64>, Vec<u32>)>,
}

impl ColmapScene {
    /// One camera of that model for all poses; images are `0.png` and so on, their ids from 1.
    pub fn new(model: &str, width: u64, height: u64, parameters: &[f64], poses: &[Isometry3<f64>]) -> Self {
        let model = CAMERA_MODELS.iter().find(|known| known.name == model).unwrap();
        let camera =
            ModelCamera { id: 7, model, width, height, parameters: parameters.to_vec(), unknown: None };
        let images = poses.iter().zip(1..).map(|(pose, id)| (id, 7, format!("{}.png", id - 1), *pose));
        Self { cameras: vec![camera], images: images.collect(), points: Vec::new() }
    }

    /// World-to-camera, `y` down: quaternion with its real part first, and translation.
    fn pose(pose: &Isometry3<f64>) -> ([f64; 4], [f64; 3]) {
        let flip = nalgebra::UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
        let inverse = (pose * flip).inverse();
        let q = inverse.rotation;
        ([q.w, q.i, q.j, q.k], inverse.translation.vector.into())
    }

    /// `cameras`, `images`, `points3D`.
    pub fn binary(&self) -> [Vec<u8>; 3] {
        let mut files = [
            (self.cameras.len() as u64).to_le_bytes().to_vec(),
            (self.images.len() as u64).to_le_bytes().to_vec(),
            (self.points.len() as u64).to_le_bytes().to_vec(),
        ];
        let f64s = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        for c in &self.cameras {
            files[0].extend([c.id.to_le_bytes(), c.model.number.to_le_bytes()].concat());
            files[0].extend([c.width.to_le_bytes(), c.height.to_le_bytes()].concat());
            files[0].extend(f64s(&c.parameters));
        }
        for (id, camera, name, pose) in &self.images {
            let (q, t) = Self::pose(pose);
            files[1].extend(id.to_le_bytes());
            files[1].extend([f64s(&q), f64s(&t)].concat());
            files[1].extend(camera.to_le_bytes());
            files[1].extend([name.as_bytes(), &[0]].concat());
            // One keypoint that belongs to no point.
            files[1].extend([&1u64.to_le_bytes()[..], &f64s(&[1.5, 2.5]), &u64::MAX.to_le_bytes()].concat());
        }
        for ((position, track), id) in self.points.iter().zip(1u64..) {
            files[2].extend(id.to_le_bytes());
            files[2].extend([f64s(position.coords.as_slice()), vec![10, 20, 30], f64s(&[0.5])].concat());
            files[2].extend((track.len() as u64).to_le_bytes());
            files[2]
                .extend(track.iter().flat_map(|image| [image.to_le_bytes(), 0u32.to_le_bytes()].concat()));
        }
        files
    }

    /// The same as text.
    pub fn text(&self) -> [String; 3] {
        let list = |values: &[f64]| values.iter().map(|v| format!("{v:?} ")).collect::<String>();
        let mut files = ["# Camera list\n", "# Image list\n#\n", "# 3D point list\n"].map(String::from);
        for c in &self.cameras {
            files[0] +=
                &format!("{} {} {} {} {}\n", c.id, c.model.name, c.width, c.height, list(&c.parameters));
        }
        for (id, camera, name, pose) in &self.images {
            let (q, t) = Self::pose(pose);
            files[1] += &format!("{id} {}{}{camera} {name}\n", list(&q), list(&t));
            files[1] += if id % 2 == 0 { "\n" } else { "1.5 2.5 -1\n" };
        }
        for ((position, track), id) in self.points.iter().zip(1..) {
            let track: String = track.iter().map(|image| format!(" {image} 0")).collect();
            files[2] += &format!("{id} {}10 20 30 0.5{track}\n", list(position.coords.as_slice()));
        }
        files
    }

    /// Writes both forms' files below a folder, as `sparse/0` or whatever `model` says.
    pub fn write(&self, folder: &Path, model: &str, binary: bool) {
        let folder = folder.join(model);
        std::fs::create_dir_all(&folder).unwrap();
        let files = if binary { self.binary() } else { self.text().map(String::into_bytes) };
        for (name, bytes) in ["cameras", "images", "points3D"].iter().zip(files) {
            std::fs::write(folder.join(format!("{name}.{}", if binary { "bin" } else { "txt" })), bytes)
                .unwrap();
        }
    }
}
