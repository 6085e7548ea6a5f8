//! One scene written as Instant-NGP, Nerfstudio, COLMAP text and COLMAP binary gives the same rays.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nalgebra::{Isometry3, Matrix4, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::camera::{Camera, Distortion, Intrinsics};
use crate::scene::{LoadOptions, Outline, SceneFormat, outline};
use crate::testing::{ColmapScene, matrix, orbit, picture, real_data};

/// Nerfstudio's `applied_transform`: the axes exchanged as it does for COLMAP, and a shift.
fn applied() -> Isometry3<f64> {
    let rows = nalgebra::Matrix3::new(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rows));
    Isometry3::from_parts(Translation3::new(0.25, -1.0, 3.0), rotation)
}
const APPLIED_SCALE: f64 = 0.5;

fn lens_fields(k: &Intrinsics) -> Value {
    let Distortion::OpenCv { k1, k2, p1, p2, .. } = k.distortion else { panic!("{k:?}") };
    json!({"w": k.width, "h": k.height, "fl_x": k.fx, "fl_y": k.fy, "cx": k.cx, "cy": k.cy,
        "k1": k1, "k2": k2, "p1": p1, "p2": p2})
}

/// Writes the views in all four forms, each in a folder of its own, beside `images/` that `fill` makes.
fn write_all(root: &Path, views: &[(String, Camera)], points: &[Point3<f64>], fill: &dyn Fn(&Path)) {
    for form in ["ngp", "nerfstudio", "text", "binary"] {
        fs::create_dir(root.join(form)).unwrap();
        fill(&root.join(form).join("images"));
    }
    let frames = |pose: &dyn Fn(&Isometry3<f64>) -> Value| -> Vec<Value> {
        let frame = |(name, camera): &(String, Camera)| json!({"file_path": format!("images/{name}"), "transform_matrix": pose(&camera.pose)});
        views.iter().map(frame).collect()
    };
    let k = views[0].1.intrinsics;
    let mut ngp = lens_fields(&k);
    ngp["aabb_scale"] = json!(4);
    ngp["frames"] = json!(frames(&matrix));
    fs::write(root.join("ngp/transforms.json"), ngp.to_string()).unwrap();

    let moved = |pose: &Isometry3<f64>| {
        let mut m: Matrix4<f64> = (applied() * pose).to_homogeneous();
        (0..3).for_each(|r| m[(r, 3)] *= APPLIED_SCALE);
        json!((0..4).map(|r| (0..4).map(|c| m[(r, c)]).collect::<Vec<_>>()).collect::<Vec<_>>())
    };
    let mut nerfstudio = lens_fields(&k);
    nerfstudio["camera_model"] = json!("OPENCV");
    nerfstudio["applied_transform"] = json!(matrix(&applied()).as_array().unwrap()[..3]);
    nerfstudio["applied_scale"] = json!(APPLIED_SCALE);
    nerfstudio["frames"] = json!(frames(&moved));
    if !points.is_empty() {
        nerfstudio["ply_file_path"] = json!("sparse_pc.ply");
        let mut ply = format!(
            "ply\nformat ascii 1.0\nelement vertex {}\nproperty double x\nproperty double y\nproperty double z\n\
             property uint8 red\nproperty uint8 green\nproperty uint8 blue\nend_header\n",
            points.len()
        );
        for point in points {
            let p = (applied() * point) * APPLIED_SCALE;
            ply += &format!("{:?} {:?} {:?} 10 20 30\n", p.x, p.y, p.z);
        }
        fs::write(root.join("nerfstudio/sparse_pc.ply"), ply).unwrap();
    }
    fs::write(root.join("nerfstudio/transforms.json"), nerfstudio.to_string()).unwrap();

    let Distortion::OpenCv { k1, k2, p1, p2, .. } = k.distortion else { panic!("{k:?}") };
    let parameters = [k.fx, k.fy, k.cx, k.cy, k1, k2, p1, p2];
    let mut model = ColmapScene::new("OPENCV", k.width.into(), k.height.into(), &parameters, &[]);
    model.images =
        views.iter().zip(1..).map(|((name, camera), id)| (id, 7, name.clone(), camera.pose)).collect();
    model.points = points.iter().map(|point| (*point, vec![1, 2])).collect();
    model.write(&root.join("text"), "sparse/0", false);
    model.write(&root.join("binary"), "sparse/0", true);
}

/// All four as read.
fn read_all(root: &Path) -> Vec<Outline> {
    let formats =
        [SceneFormat::InstantNgp, SceneFormat::Nerfstudio, SceneFormat::Colmap, SceneFormat::Colmap];
    let read = |(form, format): (&str, SceneFormat)| {
        let scene = outline(&root.join(form), &LoadOptions::default()).unwrap();
        assert_eq!(scene.format, format);
        assert!(scene.missing.is_empty() && scene.warnings.is_empty(), "{form}: {:?}", scene.warnings);
        scene
    };
    ["ngp", "nerfstudio", "text", "binary"].into_iter().zip(formats).map(read).collect()
}

fn assert_same_rays(views: &[(String, Camera)], scenes: &[Outline]) {
    let wanted: BTreeMap<&str, &Camera> =
        views.iter().map(|(name, camera)| (name.as_str(), camera)).collect();
    for scene in scenes {
        assert_eq!(scene.views.len(), views.len());
        for view in &scene.views {
            let wanted = wanted[view.path.file_name().unwrap().to_str().unwrap()];
            let k = &view.camera.intrinsics;
            for (x, y) in (0..=4).flat_map(|x| (0..=4).map(move |y| (x, y))) {
                let (px, py) = (f64::from(k.width * x) / 4.0, f64::from(k.height * y) / 4.0);
                let (a, b) = (view.camera.ray(px, py), wanted.ray(px, py));
                let off = (a.origin - b.origin).norm().max((a.direction - b.direction).norm());
                assert!(off < 1e-9, "{} {}: {px} {py} is off by {off}", scene.format, view.name);
            }
        }
    }
}

#[test]
fn a_procedural_scene_in_four_forms() {
    let distortion = Distortion::OpenCv { k1: 0.05, k2: -0.02, k3: 0.0, p1: 1e-3, p2: -2e-3 };
    let intrinsics =
        Intrinsics { fx: 9.0, fy: 9.25, cx: 4.5, distortion, ..Intrinsics::pinhole(8, 6, 9.0, 9.0) };
    let poses = orbit(11, 2.0, Point3::new(1.0, -2.0, 0.5));
    let views: Vec<(String, Camera)> = poses
        .iter()
        .enumerate()
        .map(|(i, &pose)| (format!("{i}.png"), Camera { intrinsics, pose }))
        .collect();
    let fill = |folder: &Path| {
        views.iter().for_each(|(name, _)| picture(&folder.join(name), 8, 6, 0));
    };
    let root = tempdir().unwrap();
    write_all(root.path(), &views, &[], &fill);
    let scenes = read_all(root.path());
    assert_same_rays(&views, &scenes);
    // What has no placement of its own is placed alike.
    for scene in &scenes[2..] {
        assert!(scene.unit_frame().is_same(&scenes[1].unit_frame()));
    }
    assert_eq!((scenes[0].frame.scaling(), scenes[0].aabb_scale), (0.33, 4));

    let root = tempdir().unwrap();
    let points: Vec<_> =
        (0..20).map(|i| Point3::new(1.0, -2.0, 0.5) + Vector3::new(0.1, 0.02 * f64::from(i), -0.1)).collect();
    write_all(root.path(), &views, &points, &fill);
    for scene in &read_all(root.path())[1..] {
        assert_eq!(scene.points.len(), 20);
        for (point, wanted) in scene.points.iter().zip(&points) {
            assert!((point.position - wanted).norm() < 1e-12 && point.color == [10, 20, 30]);
        }
        assert!(scene.near.is_some());
    }
}

#[test]
fn real_fox_in_four_forms() {
    let Some(path) = real_data("real_fox_in_four_forms", "fox") else { return };
    let fox = outline(&path, &LoadOptions::default()).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let views: Vec<(String, Camera)> = fox.views.iter().map(|v| (name(&v.path), v.camera.clone())).collect();
    let root = tempdir().unwrap();
    write_all(root.path(), &views, &[], &|folder| {
        fs::create_dir(folder).unwrap();
        for view in &fox.views {
            // The headers are read, and nothing else: enough of each file to hold them.
            let bytes = fs::read(&view.path).unwrap();
            fs::write(folder.join(name(&view.path)), &bytes[..bytes.len().min(4096)]).unwrap();
        }
    });
    assert_same_rays(&views, &read_all(root.path()));
}
