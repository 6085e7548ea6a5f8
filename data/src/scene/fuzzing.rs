//! Every parser of scene files, on bytes: what fuzz targets and property tests call.

use std::path::Path;

use super::{colmap, llff, ply, transforms};
use crate::camera::Lens;

/// A `transforms.json`, and what its lenses mean for an image.
pub fn transforms(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(file) = transforms::parse(Path::new("transforms.json"), text) else { return };
    for frame in &file.frames {
        if let Ok(resolved) = frame.lens.over(&file.lens).resolve(640, 480) {
            lens(&resolved.intrinsics);
        }
    }
}

/// COLMAP's `cameras.bin` and `.txt`.
pub fn colmap_cameras(bytes: &[u8]) {
    let cameras = [colmap::cameras::from_binary(bytes), colmap::cameras::from_text(bytes)];
    cameras.into_iter().flatten().flatten().flat_map(|camera| camera.intrinsics()).for_each(|k| lens(&k));
}

/// COLMAP's `images.bin` and `.txt`.
pub fn colmap_images(bytes: &[u8]) {
    let _ = (colmap::images::from_binary(bytes), colmap::images::from_text(bytes));
}

/// COLMAP's `points3D.bin` and `.txt`.
pub fn colmap_points(bytes: &[u8]) {
    let _ = (colmap::points::from_binary(bytes), colmap::points::from_text(bytes));
}

/// LLFF's `poses_bounds.npy`, and with it NumPy's arrays.
pub fn llff(bytes: &[u8]) {
    let _ = llff::parse(bytes);
}

/// A PLY file's points.
pub fn ply(bytes: &[u8]) {
    let _ = ply::parse(bytes);
}

/// Every pixel has a ray, whatever the coefficients are.
fn lens(k: &crate::camera::Intrinsics) {
    let lens = Lens::new(k.distortion);
    let (w, h) = (f64::from(k.width), f64::from(k.height));
    for (px, py) in [(0.5, 0.5), (w / 2.0, h / 2.0), (w - 0.5, h - 0.5)] {
        let direction = lens.direction(k.normalised(px, py));
        let _ = lens.image(direction);
    }
}
