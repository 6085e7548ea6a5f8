//! Whole models: both forms, which of several is used, where images and masks lie.
use std::fs;

use tempfile::tempdir;

use super::{model, scene};
use crate::camera::{Distortion, Intrinsics};
use crate::scene::{LoadOptions, SceneError, SceneFormat, load, outline};
use crate::testing::{ColmapScene, picture, real_data};

#[test]
fn binary_and_text_are_the_same_scene() {
    let model = model();
    for (below, binary) in
        [("sparse/0", true), ("sparse/0", false), ("sparse", true), ("colmap/sparse/0", true), ("", false)]
    {
        let folder = scene(&model, below, binary);
        for path in [folder.path().to_owned(), folder.path().join(below)] {
            let scene = load(&path, &LoadOptions::default()).unwrap();
            assert_eq!((scene.format, scene.views.len()), (SceneFormat::Colmap, 17));
            assert_eq!(scene.splits.test, [0, 8, 16]);
            assert_eq!(Some(scene.name.as_str()), folder.path().file_name().unwrap().to_str());
            for (i, view) in scene.views.iter().enumerate() {
                assert_eq!(view.image.pixel(1, 0)[0], i as u8, "numbers are in order");
                let off = view.camera.pose.to_homogeneous() - model.images[i].3.to_homogeneous();
                assert!(off.amax() < 1e-12);
                let k = &view.camera.intrinsics;
                assert_eq!((k.fx, k.fy, k.cx, k.cy), (9.0, 9.0, 4.0, 3.0));
                assert!(matches!(k.distortion, Distortion::OpenCv { k1: 0.05, .. }));
            }
            let point = &scene.points[3];
            assert_eq!((point.position, point.color), (model.points[3].0, [10, 20, 30]));
            assert_eq!((point.error, &point.views[..]), (0.5, &[0, 3, 16][..]));
            assert!(scene.warnings.is_empty());
        }
    }
}

#[test]
fn points_follow_the_views_that_are_left() {
    let model = model();
    let folder = scene(&model, "sparse/0", true);
    fs::remove_file(folder.path().join("images/0.png")).unwrap();
    let scene = outline(folder.path(), &LoadOptions { max_images: Some(4), ..Default::default() }).unwrap();
    let names: Vec<&str> = scene.views.iter().map(|view| view.name.as_str()).collect();
    for (point, (_, track)) in scene.points.iter().zip(&model.points) {
        let seen: Vec<&str> = point.views.iter().map(|&view| names[view as usize]).collect();
        let mut track: Vec<u32> = track.iter().map(|id| id - 1).collect();
        track.sort_unstable();
        track.dedup();
        let wanted: Vec<String> = track.iter().map(|i| format!("{i}.png")).collect();
        let wanted: Vec<&str> =
            wanted.iter().map(String::as_str).filter(|name| names.contains(name)).collect();
        assert_eq!(seen, wanted);
    }
    assert!(scene.points.iter().any(|point| !point.views.is_empty()));
}

#[test]
fn the_largest_model_is_used_with_a_warning() {
    let model = model();
    let folder = scene(&model, "sparse/10", true);
    let small = ColmapScene { images: model.images[..3].to_vec(), points: Vec::new(), ..model };
    small.write(folder.path(), "sparse/0", true);
    small.write(folder.path(), "sparse/2", false);
    let scene = outline(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(scene.views.len(), 17);
    let said = scene.warnings.join("; ");
    assert!(
        said.contains("3 separate models; model 10 with 17 images is used, left out: 0 with 3, 2 with 3"),
        "{said}"
    );
}

#[test]
fn images_lie_where_they_lie() {
    let mut model = model();
    model.images.truncate(2);
    // Sub-folders, spaces, and a folder whose images are half as large.
    model.images[0].2 = "left cam/1.png".into();
    model.images[1].2 = "right/1.png".into();
    let folder = tempdir().unwrap();
    model.write(folder.path(), "sparse/0", false);
    picture(&folder.path().join("images_2/left cam/1.png"), 4, 3, 0);
    picture(&folder.path().join("images_2/right/1.png"), 4, 3, 1);
    picture(&folder.path().join("masks/left cam/1.png.png"), 4, 3, 0);
    let scene = load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(scene.views[0].name, "left cam/1.png");
    assert_eq!(scene.views[1].camera.intrinsics.fx, 4.5);
    assert!(scene.views[0].mask.is_some() && scene.views[1].mask.is_none());
    let said = scene.warnings.join("\n");
    assert!(
        said.contains("1 of 2 images have no mask: name that of right/1.png masks/right/1.png.png"),
        "{said}"
    );
    // What was taken out of the full images stays out, whatever smaller copies there are.
    picture(&folder.path().join("images/left cam/1.png"), 8, 6, 0);
    fs::remove_dir_all(folder.path().join("masks")).unwrap();
    let full = outline(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!((full.views.len(), full.missing.len(), full.views[0].header.width), (1, 1, 8));
    fs::remove_dir_all(folder.path().join("images")).unwrap();
    fs::remove_dir_all(folder.path().join("images_2")).unwrap();
    let error = outline(folder.path(), &LoadOptions::default()).unwrap_err();
    assert!(
        matches!(&error, SceneError::AllMissing { count: 2, first, .. } if first.ends_with("images/left cam/1.png")),
        "{error}"
    );
}

#[test]
fn real_beer() {
    let Some(path) = real_data("real_beer", "beer") else { return };
    let scene = outline(&path, &LoadOptions::default()).unwrap();
    assert_eq!((scene.views.len(), scene.splits.test.len(), scene.points.len()), (71, 9, 4414));
    assert!(scene.missing.is_empty() && scene.warnings.is_empty());
    for view in &scene.views {
        let k = &view.camera.intrinsics;
        for (x, y) in (0..=8).flat_map(|x| (0..=8).map(move |y| (x, y))) {
            let (px, py) = (f64::from(k.width * x) / 8.0, f64::from(k.height * y) / 8.0);
            let ray = view.camera.ray(px, py);
            let (bx, by, _) = view.camera.project(&(ray.origin + ray.direction * 3.0)).unwrap();
            assert!((bx - px).hypot(by - py) < 1e-6, "{}: {px} {py} became {bx} {by}", view.name);
        }
    }
    // Points are seen where COLMAP saw them: a few pixels at most from where they project, and that on average.
    let (mut sum, mut count) = (0.0, 0);
    for point in &scene.points {
        for &view in &point.views {
            let camera = &scene.views[view as usize].camera;
            let (px, py, depth) = camera.project(&point.position).unwrap();
            let k: &Intrinsics = &camera.intrinsics;
            assert!(depth > 0.0 && px > -3.0 && py > -3.0);
            assert!(px < f64::from(k.width) + 3.0 && py < f64::from(k.height) + 3.0);
            count += 1;
        }
        sum += f64::from(point.error);
    }
    assert!(count > 25_000 && sum / (scene.points.len() as f64) < 1.5);
}
