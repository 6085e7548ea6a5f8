#![allow(clippy::unwrap_used)]
mod broken;
mod foreign;
mod lenses;
mod models;

use nalgebra::Point3;
use tempfile::{TempDir, tempdir};

use crate::testing::{ColmapScene, orbit, picture};

/// Seventeen views of a few points around (5, 5, 5).
fn model() -> ColmapScene {
    let target = Point3::new(5.0, 5.0, 5.0);
    let mut model = ColmapScene::new("SIMPLE_RADIAL", 8, 6, &[9.0, 4.0, 3.0, 0.05], &orbit(17, 2.0, target));
    model.points = (0..30)
        .map(|i| {
            let at = |k: i32| f64::from((i * k) % 7) / 7.0 - 0.5;
            (target + nalgebra::Vector3::new(at(1), at(3), at(5)), vec![1 + (i % 17) as u32, 17, 1])
        })
        .collect();
    model
}

fn scene(model: &ColmapScene, below: &str, binary: bool) -> TempDir {
    let folder = tempdir().unwrap();
    model.write(folder.path(), below, binary);
    for (i, (_, _, name, _)) in model.images.iter().enumerate() {
        picture(&folder.path().join("images").join(name), 8, 6, i as u8);
    }
    folder
}
