//! The scene in memory against the written one.

use super::small;
use crate::LoadOptions;
use crate::demo::{DemoConfig, DemoError, load, write};
use crate::scene::{self, Scene, SceneFormat};

/// Everything that training sees; the poses went through text and a singular value decomposition.
fn assert_same(memory: &Scene, loaded: &Scene) {
    assert_eq!(memory.splits, loaded.splits);
    assert_eq!((memory.aabb_scale, memory.frame), (loaded.aabb_scale, loaded.frame));
    assert_eq!(memory.views.len(), loaded.views.len());
    for (a, b) in memory.views.iter().zip(&loaded.views) {
        assert_eq!((&a.name, &a.image, &a.camera.intrinsics), (&b.name, &b.image, &b.camera.intrinsics));
        let difference = a.camera.pose.to_homogeneous() - b.camera.pose.to_homogeneous();
        assert!(difference.amax() < 1e-12, "{}: {}", a.name, difference.amax());
    }
}

#[test]
fn memory_and_folder_hold_the_same_scene() {
    let out = tempfile::tempdir().unwrap();
    let config = DemoConfig { resolution: 25, train: 7, test: 3, ..DemoConfig::default() };
    write(out.path(), &config, &|_, _| ()).unwrap();
    for (downscale, max_images) in [(1, None), (2, Some(2)), (3, Some(5))] {
        let options = LoadOptions { downscale, max_images, ..LoadOptions::default() };
        let memory = load(&config, &options, &|_, _| ()).unwrap();
        assert_same(&memory, &scene::load(out.path(), &options).unwrap());
        assert_eq!((memory.name.as_str(), memory.format), ("demo", SceneFormat::Blender));
    }
}

#[test]
fn impossible_settings_are_refused() {
    let load = |config, downscale| {
        load(&config, &LoadOptions { downscale, ..LoadOptions::default() }, &|_, _| ()).unwrap_err()
    };
    assert!(matches!(load(small(), 0), DemoError::Downscale(_)));
    let error = load(small(), 25);
    assert!(error.to_string().contains("24x24"), "{error}");
    let error = load(DemoConfig { train: 0, ..small() }, 1);
    assert!(matches!(error, DemoError::Config { field: "train", .. }), "{error}");
}
