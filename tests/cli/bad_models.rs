//! COLMAP's models and LLFF's array with one thing wrong.

use crate::program::{Place, SMALL};

/// A model of one camera and two images, file by file.
struct Model {
    cameras: Vec<u8>,
    images: Vec<u8>,
    points: Vec<u8>,
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

impl Model {
    fn good() -> Self {
        let mut cameras = [&1u64.to_le_bytes()[..], &1u32.to_le_bytes(), &1u32.to_le_bytes()].concat();
        cameras.extend([40u64, 40].iter().flat_map(|n| n.to_le_bytes()));
        cameras.extend(doubles(&[50.0, 50.0, 20.0, 20.0]));
        let mut images = 2u64.to_le_bytes().to_vec();
        for id in [1u32, 2] {
            images.extend(id.to_le_bytes());
            images.extend(doubles(&[1.0, 0.0, 0.0, 0.0, 0.1 * f64::from(id), 0.0, 4.0]));
            images.extend(1u32.to_le_bytes());
            images.extend(format!("r_{id}.png\0").into_bytes());
            images.extend(0u64.to_le_bytes());
        }
        Self { cameras, images, points: 0u64.to_le_bytes().to_vec() }
    }

    fn write(&self, place: &Place) {
        let folder = place.path("model/sparse/0");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cameras.bin"), &self.cameras).unwrap();
        std::fs::write(folder.join("images.bin"), &self.images).unwrap();
        std::fs::write(folder.join("points3D.bin"), &self.points).unwrap();
    }
}

fn with_pictures() -> Place {
    let place = Place::with_scene(1);
    std::fs::create_dir_all(place.path("model/images")).unwrap();
    for i in 0..8 {
        let name = format!("r_{i}.png");
        std::fs::rename(place.path("scene/train").join(&name), place.path("model/images").join(&name))
            .unwrap();
    }
    place
}

fn refused(place: &Place, scene: &str, parts: &[&str]) -> Vec<String> {
    let train = place.flaw(&[&["train", scene, "--steps", "1"], &SMALL[..]].concat(), parts);
    let inspect = place.flaw(&["inspect", scene], parts);
    train.into_iter().chain(inspect).collect()
}

#[test]
fn colmap_models() {
    let (place, mut flaws) = (with_pictures(), Vec::new());
    Model::good().write(&place);
    place
        .run(&[
            "train",
            "model",
            "--steps",
            "1",
            "--no-eval",
            "--out",
            "fine",
            "--log2-entries",
            "8",
            "--holdout",
            "0",
        ])
        .success();
    let huge = (1u64 << 60).to_le_bytes();
    let nan = f64::NAN.to_le_bytes();
    let (cameras, images, points) = ("cameras.bin", "images.bin", "points3D.bin");
    type Change<'a> = &'a dyn Fn(&mut Model);
    let table: [(&str, Change<'_>, &[&str]); 20] = [
        (cameras, &|m| m.cameras[..8].copy_from_slice(&huge), &["announces 1152921504606846976"]),
        (images, &|m| m.images[..8].copy_from_slice(&huge), &["announces 1152921504606846976"]),
        (points, &|m| m.points[..8].copy_from_slice(&huge), &["announces 1152921504606846976"]),
        (images, &|m| m.images[..8].copy_from_slice(&0u64.to_le_bytes()), &[]),
        (cameras, &|m| m.cameras.truncate(7), &["the file ends here"]),
        (cameras, &|m| m.cameras.truncate(50), &["camera"]),
        (images, &|m| m.images.truncate(60), &["image"]),
        (images, &|m| m.images.truncate(0), &[]),
        (cameras, &|m| m.cameras.push(0), &["follow the last entry"]),
        (cameras, &|m| m.cameras[12..16].copy_from_slice(&99u32.to_le_bytes()), &["99"]),
        (cameras, &|m| m.cameras[12..16].copy_from_slice(&16u32.to_le_bytes()), &["camera 1"]),
        (cameras, &|m| m.cameras[32..40].copy_from_slice(&0f64.to_le_bytes()), &["camera 1", "fl_x"]),
        (cameras, &|m| m.cameras[32..40].copy_from_slice(&(-50f64).to_le_bytes()), &["camera 1", "fl_x"]),
        (cameras, &|m| m.cameras[32..40].copy_from_slice(&nan), &["camera 1"]),
        (
            cameras,
            &|m| m.cameras[32..40].copy_from_slice(&0.05f64.to_le_bytes()),
            &["camera 1", "not in millimeters"],
        ),
        (cameras, &|m| m.cameras[16..24].copy_from_slice(&huge), &["camera 1", "the width"]),
        (
            cameras,
            &|m| {
                m.cameras[0] = 2;
                m.cameras.extend(m.cameras[8..].to_vec());
            },
            &["camera 1: occurs twice"],
        ),
        (images, &|m| m.images[88..92].copy_from_slice(&1u32.to_le_bytes()), &["image 1: occurs twice"]),
        (images, &|m| m.images[12..20].copy_from_slice(&0f64.to_le_bytes()), &["image 1"]),
        (images, &|m| m.images[68..72].copy_from_slice(&7u32.to_le_bytes()), &["image 1", "camera 7"]),
    ];
    for (file, change, parts) in table {
        let mut model = Model::good();
        change(&mut model);
        model.write(&place);
        let path = format!("model/sparse/0/{file}");
        flaws.extend(refused(&place, "model", &[&[path.as_str()], parts].concat()));
    }
    for lost in ["cameras.bin", "images.bin"] {
        Model::good().write(&place);
        let path = format!("model/sparse/0/{lost}");
        std::fs::remove_file(place.path(&path)).unwrap();
        flaws.extend(refused(&place, "model", &[path.as_str(), "cannot be read"]));
    }
    let mut model = Model::good();
    model.cameras[16..24].copy_from_slice(&77u64.to_le_bytes());
    model.write(&place);
    flaws.extend(refused(&place, "model", &["77x40", "40x40"]));
    assert!(flaws.is_empty() && !place.path("runs").exists(), "{flaws:#?}");
}

#[test]
fn llff_arrays() {
    let (place, mut flaws) = (with_pictures(), Vec::new());
    let row = [0.0, 1.0, 0.0, 0.0, 40.0, -1.0, 0.0, 0.0, 0.0, 40.0, 0.0, 0.0, 1.0, 4.0, 50.0, 1.0, 9.0];
    let array = |shape: &str, values: &[f64]| {
        let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}\n");
        [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &doubles(values)]
            .concat()
    };
    let rows = |change: &dyn Fn(&mut [f64])| {
        let mut values = row.repeat(8);
        change(&mut values[17..34]);
        array("8, 17", &values)
    };
    for (bytes, parts) in [
        (b"\x93NUMPY".to_vec(), &["header"][..]),
        (array("8, 16", &row.repeat(8)[..128]), &["[8, 16]", "17"]),
        (array("136, ", &row.repeat(8)), &["[136]", "17"]),
        (array("0, 17", &[]), &["[0, 17]"]),
        (array("1152921504606846976, 17", &row), &["is the file complete"]),
        (array("7, 17", &row.repeat(7)), &["7 images", "images has 8"]),
        (rows(&|row| row[1] = f64::NAN), &["row 1"]),
        (rows(&|row| row[1] = 3.0), &["row 1", "not a rotation"]),
        (rows(&|row| row[14] = 0.0), &["row 1", "focal"]),
        (rows(&|row| row[14] = -50.0), &["row 1", "focal"]),
        (rows(&|row| row[4] = 40.5), &["row 1", "height"]),
        (rows(&|row| row[15] = -1.0), &["row 1", "positive and ascending"]),
    ] {
        std::fs::write(place.path("model/poses_bounds.npy"), bytes).unwrap();
        flaws.extend(refused(&place, "model", &[&["model/poses_bounds.npy"], parts].concat()));
    }
    assert!(flaws.is_empty() && !place.path("runs").exists(), "{flaws:#?}");
}
