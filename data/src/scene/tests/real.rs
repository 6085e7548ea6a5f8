//! Real scenes, where they are.
use crate::camera::Distortion;
use crate::scene::{LoadOptions, load, outline};
use crate::testing::real_data;

#[test]
fn real_lego() {
    let Some(path) = real_data("real_lego", "nerf_synthetic/lego") else { return };
    let options = LoadOptions { downscale: 4, max_images: Some(10), ..Default::default() };
    let all = outline(&path, &LoadOptions::default()).unwrap();
    assert_eq!((all.splits.train.len(), all.splits.test.len(), all.splits.val.len()), (100, 25, 0));
    let scene = load(&path, &options).unwrap();
    assert_eq!((scene.splits.train.len(), scene.splits.test.len()), (10, 10));
    let view = &scene.views[0];
    assert!(view.image.has_alpha() && view.image.width() == 200);
    assert!((view.camera.intrinsics.fx - 277.7777).abs() < 1e-3);
    assert_eq!(view.image.pixel(0, 0)[3], 0, "the corner is background");
}

#[test]
fn real_fox() {
    let Some(path) = real_data("real_fox", "fox") else { return };
    let scene = load(&path, &LoadOptions { downscale: 8, ..Default::default() }).unwrap();
    assert_eq!((scene.views.len(), scene.splits.train.len(), scene.splits.test.len()), (50, 43, 7));
    assert!(scene.missing.is_empty() && scene.warnings.is_empty(), "{:?}", scene.warnings);
    assert_eq!((scene.aabb_scale, scene.views[0].name.as_str()), (4, "images/0001.jpg"));
    let k = &scene.views[0].camera.intrinsics;
    assert_eq!((k.width, k.height, k.fx), (135, 240, 1375.52 / 8.0));
    assert!(matches!(k.distortion, Distortion::OpenCv { k2: -0.0805099, .. }));
}
