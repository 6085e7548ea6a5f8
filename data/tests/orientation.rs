//! Which pixels a scene means whose images say that they are stored lying on their side.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use nerve_data::scene::{self, LoadOptions, Scene};

/// A JPEG of 40x24 stored pixels, white in its first 8 rows, which a viewer turns clockwise by 90 degrees.
fn photo(path: &Path) {
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let pixels: Vec<u8> = (0..40 * 24).map(|i| if i < 40 * 8 { 255 } else { 0 }).collect();
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&pixels, 40, 24, ExtendedColorType::L8).unwrap();
    std::fs::write(path, file).unwrap();
}

fn loaded(size: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    photo(&folder.path().join("a.jpg"));
    let json = format!(
        r#"{{"fl_x": 30, {size} "frames": [{{"file_path": "a.jpg",
            "transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,3],[0,0,0,1]]}}]}}"#
    );
    std::fs::write(folder.path().join("transforms.json"), json).unwrap();
    scene::load(folder.path(), &LoadOptions::default()).unwrap()
}

#[test]
fn the_stated_size_decides() {
    for (size, upright) in [
        (r#""w": 24, "h": 40,"#, true),
        (r#""w": 40, "h": 24,"#, false),
        ("", false),
        (r#""w": 12, "h": 20,"#, true),
    ] {
        let scene = loaded(size);
        let view = &scene.views[0];
        let k = &view.camera.intrinsics;
        let wanted = if upright { (24, 40) } else { (40, 24) };
        assert_eq!((view.image.width(), view.image.height()), wanted, "{size}");
        assert_eq!((k.width, k.height), wanted, "{size}");
        // The stored first rows are the upright picture's right side.
        let (white, black) = if upright { ((20, 20), (4, 20)) } else { ((20, 4), (20, 20)) };
        assert!(view.image.pixel(white.0, white.1)[0] > 200, "{size}");
        assert!(view.image.pixel(black.0, black.1)[0] < 50, "{size}");
    }
}
