//! Masks by the names and in the forms that other programs have.
use std::fs;
use std::path::Path;

use nalgebra::Point3;
use serde_json::json;
use tempfile::tempdir;

use super::assert_has;
use crate::inspect::inspect;
use crate::scene::{LoadOptions, Scene, load};
use crate::testing::{ngp_scene, orbit};

/// White left of that column, black elsewhere.
fn half(path: &Path, column: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = ::image::GrayImage::from_fn(8, 6, |x, _| ::image::Luma([if x < column { 255 } else { 0 }]));
    picture.save(path).unwrap();
}

fn masked(scene: &Scene, name: &str) -> Option<[bool; 2]> {
    let view = scene.views.iter().find(|view| view.name == name).unwrap();
    view.mask.as_ref().map(|mask| [mask.counts(0, 0), mask.counts(7, 0)])
}

#[test]
fn dynamic_masks_leave_out_what_is_white() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    ngp_scene(root, &orbit(4, 2.0, Point3::origin()), |_| ());
    half(&root.join("images/dynamic_mask_01.png"), 4);
    let scene = load(root, &LoadOptions::default()).unwrap();
    assert_eq!(masked(&scene, "images/01.png"), Some([false, true]));
    assert_eq!(masked(&scene, "images/02.png"), None);
    assert_has(&scene.warnings.join("\n"), &["1 images have a dynamic_mask_", "white in it is left out"]);
    let report = inspect(root, &LoadOptions::default()).unwrap();
    assert_eq!(report.registered.unwrap().unplaced, Vec::<String>::new());

    half(&root.join("given.png"), 4);
    ngp_scene(root, &orbit(4, 2.0, Point3::origin()), |json| {
        json["frames"][2]["mask_filename"] = json!("given.png")
    });
    let scene = load(root, &LoadOptions::default()).unwrap();
    assert_eq!(masked(&scene, "images/01.png"), Some([true, false]), "the listed one is used");
    assert_has(&scene.warnings.join("\n"), &["1 dynamic_mask_*.png are ignored"]);
}

#[test]
fn alpha_in_a_file_of_its_own() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    ngp_scene(root, &orbit(4, 2.0, Point3::origin()), |_| ());
    ::image::RgbImage::from_pixel(8, 6, ::image::Rgb([9, 9, 9])).save(root.join("images/03.png")).unwrap();
    half(&root.join("images/03.png.alpha.png"), 4);
    let scene = load(root, &LoadOptions::default()).unwrap();
    let image = &scene.views.iter().find(|view| view.name == "images/03.png").unwrap().image;
    assert_eq!((image.channels(), image.pixel(0, 0), image.pixel(7, 0)), (4, [9, 9, 9, 255], [9, 9, 9, 0]));
    let report = inspect(root, &LoadOptions::default()).unwrap();
    assert_eq!(report.registered.unwrap().unplaced, Vec::<String>::new());
    assert_has(&scene.warnings.join("\n"), &["1 images have their alpha in a file of its own"]);
}
