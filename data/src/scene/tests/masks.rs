//! Masks by the names and in the forms that other programs have.
use std::fs;
use std::path::Path;

use nalgebra::Point3;
use serde_json::json;
use tempfile::tempdir;

use super::assert_has;
use crate::inspect::inspect;
use crate::scene::{LoadOptions, MaskUse, Scene, load, outline};
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

/// What `--masks empty` reads is what the same masks as alpha give, downscaled or not.
#[test]
fn masks_as_transparency_are_as_alpha() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    let depth = |root: &Path| {
        let map = ::image::ImageBuffer::<::image::Luma<u16>, _>::from_pixel(8, 6, ::image::Luma([9u16]));
        map.save(root.join("depth.png")).unwrap();
    };
    let opaque = |root: &Path| {
        for i in 0..4 {
            let path = root.join(format!("images/{i:02}.png"));
            ::image::open(&path).unwrap().into_rgb8().save(&path).unwrap();
        }
    };
    ngp_scene(root, &orbit(4, 2.0, Point3::origin()), |json| {
        json["frames"][2]["mask_path"] = json!("given.png");
        json["frames"][2]["depth_file_path"] = json!("depth.png");
    });
    opaque(root);
    half(&root.join("given.png"), 3);
    depth(root);
    let other = tempdir().unwrap();
    ngp_scene(other.path(), &orbit(4, 2.0, Point3::origin()), |json| {
        json["frames"][2]["depth_file_path"] = json!("depth.png");
    });
    opaque(other.path());
    depth(other.path());
    let path = other.path().join("images/01.png");
    let mut picture = ::image::open(&path).unwrap().into_rgba8();
    picture.enumerate_pixels_mut().filter(|(x, _, _)| *x >= 3).for_each(|(_, _, p)| p[3] = 0);
    picture.save(&path).unwrap();
    for downscale in [1, 2] {
        let options = LoadOptions { masks: MaskUse::Empty, downscale, ..Default::default() };
        let (masked, alpha) = (load(root, &options).unwrap(), load(other.path(), &options).unwrap());
        for (a, b) in masked.views.iter().zip(&alpha.views) {
            assert_eq!((&a.image, &a.mask, &a.depth), (&b.image, &b.mask, &b.depth), "{}", a.name);
        }
        let depth = masked.views[1].depth.as_ref().unwrap();
        assert!(depth.at(0, 0).is_some() && depth.at(depth.width() - 1, 0).is_none());
        let memory = |path: &Path| outline(path, &options).unwrap().memory().images;
        assert_eq!(memory(root), memory(other.path()));
        let ignored = load(root, &LoadOptions { downscale, ..Default::default() }).unwrap();
        assert!(ignored.views[1].mask.is_some() && !ignored.views[1].image.has_alpha());
    }
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
