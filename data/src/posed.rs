//! Posed views as other programs' files: Nerfstudio's `transforms.json`, and COLMAP's text.

use crate::camera::{Camera, Distortion, Intrinsics};
use crate::scene::Split;
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// A view to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct PosedView {
    /// Where its image is, as the file is to say it.
    pub image: String,
    /// What it is for.
    pub split: Split,
    /// In the world.
    pub camera: Camera,
}

/// COLMAP's text files of a model without points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColmapText {
    /// `cameras.txt`.
    pub cameras: String,
    /// `images.txt`.
    pub images: String,
    /// `points3D.txt`, which must be there.
    pub points: String,
}

/// Nerfstudio's `transforms.json`, in the views' world; `None` if it has no words for a lens.
pub fn transforms(views: &[PosedView]) -> Option<Value> {
    let mut frames = Vec::new();
    for view in views {
        let mut frame = nerfstudio_lens(&view.camera.intrinsics)?;
        let rows = view.camera.pose.to_homogeneous();
        let rows: Vec<[f64; 4]> = (0..4).map(|r| std::array::from_fn(|c| rows[(r, c)])).collect();
        frame.insert("file_path".into(), json!(view.image));
        frame.insert("transform_matrix".into(), json!(rows));
        frames.push(Value::Object(frame));
    }
    let names = |split: Split| -> Vec<&str> {
        views.iter().filter(|view| view.split == split).map(|view| &*view.image).collect()
    };
    let model = match views.first().map(|view| view.camera.intrinsics.distortion) {
        Some(Distortion::Fisheye { .. }) => "OPENCV_FISHEYE",
        _ => "OPENCV",
    };
    Some(json!({
        "camera_model": model,
        "train_filenames": names(Split::Train),
        "val_filenames": names(Split::Val),
        "test_filenames": names(Split::Test),
        "frames": frames,
    }))
}

/// A frame's fields of its lens.
fn nerfstudio_lens(lens: &Intrinsics) -> Option<Map<String, Value>> {
    let (model, coefficients): (_, Vec<(&str, f64)>) = match lens.distortion {
        Distortion::None => ("OPENCV", Vec::new()),
        Distortion::OpenCv { k1, k2, k3, p1, p2 } => {
            ("OPENCV", vec![("k1", k1), ("k2", k2), ("k3", k3), ("p1", p1), ("p2", p2)])
        }
        Distortion::Fisheye { k1, k2, k3, k4 } => {
            ("OPENCV_FISHEYE", vec![("k1", k1), ("k2", k2), ("k3", k3), ("k4", k4)])
        }
        Distortion::FullOpenCv { .. } | Distortion::ThinPrismFisheye { .. } => return None,
    };
    let mut fields = Map::new();
    fields.insert("camera_model".into(), json!(model));
    fields.insert("w".into(), json!(lens.width));
    fields.insert("h".into(), json!(lens.height));
    let numbers = [("fl_x", lens.fx), ("fl_y", lens.fy), ("cx", lens.cx), ("cy", lens.cy)];
    for (name, value) in numbers.into_iter().chain(coefficients) {
        fields.insert(name.into(), json!(value));
    }
    Some(fields)
}

/// COLMAP's text files, in the views' world; views with one lens share a camera.
pub fn colmap(views: &[PosedView]) -> ColmapText {
    let mut lenses: Vec<Intrinsics> = Vec::new();
    let mut images =
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# POINTS2D[] as (X, Y, POINT3D_ID)\n"
            .to_owned();
    // From this crate's camera axes to OpenCV's.
    let flip = UnitQuaternion::new_unchecked(Quaternion::new(0.0, 1.0, 0.0, 0.0));
    // Writing to a string cannot fail.
    for (i, view) in views.iter().enumerate() {
        let Camera { intrinsics, pose } = &view.camera;
        let lens = lenses.iter().position(|lens| lens == intrinsics).unwrap_or_else(|| {
            lenses.push(*intrinsics);
            lenses.len() - 1
        });
        let q = flip * pose.rotation.inverse();
        let t: Vector3<f64> = -(q * pose.translation.vector);
        let _ = writeln!(
            images,
            "{} {} {} {} {} {} {} {} {} {}\n",
            i + 1,
            q.w,
            q.i,
            q.j,
            q.k,
            t.x,
            t.y,
            t.z,
            lens + 1,
            view.image
        );
    }
    let mut cameras = "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n".to_owned();
    for (i, lens) in lenses.iter().enumerate() {
        let (model, rest) = colmap_lens(lens.distortion);
        let numbers = [lens.fx, lens.fy, lens.cx, lens.cy].into_iter().chain(rest);
        let numbers = numbers.map(|v| v.to_string()).collect::<Vec<_>>().join(" ");
        let _ = writeln!(cameras, "{} {model} {} {} {numbers}", i + 1, lens.width, lens.height);
    }
    let points = "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n".to_owned();
    ColmapText { cameras, images, points }
}

/// COLMAP's model of a lens, and its parameters behind the principal point.
fn colmap_lens(distortion: Distortion) -> (&'static str, Vec<f64>) {
    match distortion {
        Distortion::None => ("PINHOLE", Vec::new()),
        Distortion::OpenCv { k1, k2, k3: 0.0, p1, p2 } => ("OPENCV", vec![k1, k2, p1, p2]),
        Distortion::OpenCv { k1, k2, k3, p1, p2 } => ("FULL_OPENCV", vec![k1, k2, p1, p2, k3, 0.0, 0.0, 0.0]),
        Distortion::FullOpenCv { above: [k1, k2, k3], below: [k4, k5, k6], tangential: [p1, p2] } => {
            ("FULL_OPENCV", vec![k1, k2, p1, p2, k3, k4, k5, k6])
        }
        Distortion::Fisheye { k1, k2, k3, k4 } => ("OPENCV_FISHEYE", vec![k1, k2, k3, k4]),
        Distortion::ThinPrismFisheye { radial: [k1, k2, k3, k4], tangential: [p1, p2], prism: [sx, sy] } => {
            ("THIN_PRISM_FISHEYE", vec![k1, k2, p1, p2, k3, k4, sx, sy])
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::{self, LoadOptions};
    use crate::write::{PixelFormat, write_png};
    use nalgebra::Isometry3;
    use std::path::Path;

    fn views(lenses: &[Distortion]) -> Vec<PosedView> {
        let view = |(i, distortion): (usize, &Distortion)| PosedView {
            image: format!("images/{i}.png"),
            split: if i == 1 { Split::Test } else { Split::Train },
            camera: Camera {
                intrinsics: Intrinsics {
                    cx: 31.25,
                    cy: 23.1,
                    distortion: *distortion,
                    ..Intrinsics::pinhole(64, 48, 71.3, 70.9)
                },
                pose: Isometry3::new(
                    Vector3::new(1.0 + i as f64, -2.0, 0.1 / 3.0),
                    Vector3::new(0.3 * i as f64, 1.1, -0.7),
                ),
            },
        };
        lenses.iter().enumerate().map(view).collect()
    }

    /// Reads what was written, as nerve reads any scene; its rays are the same.
    fn read_again(place: &Path, views: &[PosedView]) {
        let scene = scene::load(place, &LoadOptions::default()).unwrap();
        assert_eq!(scene.views.len(), views.len());
        for view in views {
            let name = view.image.rsplit('/').next().unwrap();
            let read = scene.views.iter().find(|read| read.name.ends_with(name)).unwrap();
            for (x, y) in [(0.5, 0.5), (63.5, 0.5), (32.0, 24.0), (10.0, 47.5)] {
                let ray = view.camera.ray(x, y);
                let (px, py, _) = read.camera.project(&(ray.origin + 3.0 * ray.direction)).unwrap();
                assert!((px - x).hypot(py - y) < 1e-6, "{name}: {px} {py}");
                assert!((read.camera.centre() - ray.origin).norm() < 1e-12);
            }
        }
    }

    fn draw(folder: &Path, views: &[PosedView]) {
        std::fs::create_dir_all(folder.join("images")).unwrap();
        for view in views {
            let pixels = vec![90; 64 * 48 * 3];
            write_png(&folder.join(&view.image), 64, 48, PixelFormat::Rgb, &pixels).unwrap();
        }
    }

    const OPENCV: Distortion = Distortion::OpenCv { k1: 0.05, k2: -0.02, k3: 0.0, p1: 1e-3, p2: -2e-3 };
    const FISHEYE: Distortion = Distortion::Fisheye { k1: -0.02, k2: 0.004, k3: -0.001, k4: 1e-4 };

    #[test]
    fn nerfstudios_file_is_read_as_it_was_written() {
        let cubic = Distortion::OpenCv { k1: 0.05, k2: -0.02, k3: 0.01, p1: 1e-3, p2: -2e-3 };
        for lenses in [[Distortion::None, OPENCV, cubic], [FISHEYE; 3]] {
            let (folder, views) = (tempfile::tempdir().unwrap(), views(&lenses));
            draw(folder.path(), &views);
            let file = transforms(&views).unwrap().to_string();
            std::fs::write(folder.path().join("transforms.json"), file).unwrap();
            read_again(folder.path(), &views);
        }
        let full = Distortion::FullOpenCv { above: [0.1; 3], below: [0.1; 3], tangential: [0.0; 2] };
        assert_eq!(transforms(&views(&[full])), None);
    }

    #[test]
    fn colmaps_text_is_read_as_it_was_written() {
        let full = Distortion::FullOpenCv {
            above: [0.35, 0.12, -0.02],
            below: [0.3, 0.15, 0.01],
            tangential: [1e-3, -5e-4],
        };
        let prism = Distortion::ThinPrismFisheye {
            radial: [-0.03, 0.01, -0.004, 5e-4],
            tangential: [4e-4, -7e-4],
            prism: [1e-3, -8e-4],
        };
        let cubic = Distortion::OpenCv { k1: 0.05, k2: -0.02, k3: 0.01, p1: 1e-3, p2: -2e-3 };
        let lenses = [Distortion::None, OPENCV, OPENCV, cubic, FISHEYE, full, prism];
        let (folder, mut views) = (tempfile::tempdir().unwrap(), views(&lenses));
        draw(folder.path(), &views);
        views.iter_mut().for_each(|view| view.image = view.image.replace("images/", ""));
        let ColmapText { cameras, images, points } = colmap(&views);
        assert_eq!(cameras.lines().count(), 1 + 6);
        let model = folder.path().join("sparse/0");
        std::fs::create_dir_all(&model).unwrap();
        for (name, text) in [("cameras.txt", cameras), ("images.txt", images), ("points3D.txt", points)] {
            std::fs::write(model.join(name), text).unwrap();
        }
        read_again(folder.path(), &views);
    }
}
