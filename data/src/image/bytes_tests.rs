//! No bytes make a picture's, a mask's or a depth map's reader panic, and a header says what decoding gives.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::Path;

use ::image::{DynamicImage, ImageBuffer, Luma, Rgb, Rgba};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{DepthMap, Image8, ImageHeader, Mask};
use crate::npy;

const SIDE: u32 = 16;

/// Small files of every kind that is read.
fn files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let noise = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761).wrapping_add(y * 40_503) >> 8) as u16;
    let deep = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Rgba([noise(x, y), noise(y, x), 7, noise(x + 1, y)]));
    let plain = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Rgb([noise(x, y) as u8, noise(y, x) as u8, 9]));
    let grey = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([noise(x, y)]));
    let pictures: [(&str, DynamicImage); 5] = [
        ("deep.png", deep.into()),
        ("plain.png", plain.clone().into()),
        ("plain.jpg", plain.clone().into()),
        ("plain.webp", plain.into()),
        ("grey.png", grey.into()),
    ];
    let mut files: Vec<Vec<u8>> = pictures
        .into_iter()
        .map(|(name, picture)| {
            picture.save(folder.path().join(name)).unwrap();
            fs::read(folder.path().join(name)).unwrap()
        })
        .collect();
    let mut array = Vec::new();
    npy::write_f32(&mut array, &[4, 6], (0..24).map(|v| v as f32)).unwrap();
    files.push(array);
    files
}

fn read(path: &Path, bytes: &[u8]) -> Result<(), TestCaseError> {
    fs::write(path, bytes).unwrap();
    let header = ImageHeader::read(path);
    if let (Ok(header), Ok(image)) = (&header, Image8::open(path)) {
        prop_assert_eq!((image.width(), image.height()), (header.width, header.height));
    }
    if let Err(error) = &header {
        prop_assert!(error.to_string().contains("picture"), "{}", error);
    }
    let _ = Mask::open(path);
    if let Ok(depth) = DepthMap::open(path, 1e-3) {
        prop_assert!(depth.data().iter().all(|d| *d >= 0.0 && d.is_finite()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_bytes_make_a_reader_panic(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..5), cut in any::<Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        read(&path, &noise)?;
        for mut bytes in files() {
            for (at, value) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            read(&path, &bytes)?;
            bytes.truncate(cut.index(bytes.len()));
            read(&path, &bytes)?;
        }
    }
}
