//! LLFF's `poses_bounds.npy`: for each image, in the order of the file names, 17 numbers: a 3x5 matrix row by row and
//! the nearest and farthest depth (<https://github.com/Fyusion/LLFF#using-your-own-poses-without-running-colmap>).
//! The matrix' columns are the camera's axes **down, right and back** in the world, its center, and the full-size
//! image's height, width and focal length in pixels. The lens is a pinhole.

use std::path::{Path, PathBuf};

use super::colmap::mask_beside;
use super::error::{SceneError, field_error};
use super::listing::{ListedFrame, ListedLens, Listing, MaskFile, SceneFormat};
use super::photo_files::photos_in;
use crate::camera::{Intrinsics, pose_from_rows};
use crate::image::{Clear, MAX_SIDE};
use crate::npy;
use crate::regular;

/// The one file that must be there.
pub(super) const FILE: &str = "poses_bounds.npy";

/// Where the images may be, the largest first.
const FOLDERS: [&str; 5] = ["images", "images_1", "images_2", "images_4", "images_8"];
/// Numbers for each image.
const COLUMNS: usize = 17;

/// One image's numbers, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct LlffView {
    /// Camera-to-world, in this crate's axes.
    pub pose: nalgebra::Isometry3<f64>,
    /// Of the full-size image.
    pub intrinsics: Intrinsics,
    /// Nearest and farthest depth along the optical axis, in world units.
    pub bounds: [f64; 2],
}

/// Reads the array.
///
/// # Errors
/// The place in the array and the problem: it is not an array, its shape is not `[n, 17]`, or a number cannot be used.
pub fn parse(bytes: &[u8]) -> Result<Vec<LlffView>, (String, String)> {
    let array = npy::parse(bytes).map_err(|e| ("the array".to_owned(), e.to_string()))?;
    if !matches!(array.shape[..], [images, COLUMNS] if images > 0) {
        let problem = format!("is {:?}, it must be [number of images, {COLUMNS}]", array.shape);
        return Err(("the shape".into(), problem));
    }
    let views = array.values.chunks_exact(COLUMNS).enumerate();
    views.map(|(i, row)| view(row).map_err(|problem| (format!("row {i}"), problem))).collect()
}

fn view(row: &[f64]) -> Result<LlffView, String> {
    let at = |r: usize, c: usize| row[5 * r + c];
    // From down, right, back to right, up, back.
    let rows: Vec<Vec<f64>> = (0..3).map(|r| vec![at(r, 1), -at(r, 0), at(r, 2), at(r, 3)]).collect();
    let pose = pose_from_rows(&rows).map_err(|e| format!("its pose: {e}"))?;
    let side = |value: f64, name: &str| {
        let whole = value.fract() == 0.0 && (1.0..=f64::from(MAX_SIDE)).contains(&value);
        if whole {
            Ok(value as u32)
        } else {
            Err(format!("its {name} is {value}, which is not a number of pixels"))
        }
    };
    let (height, width) = (side(at(0, 4), "height")?, side(at(1, 4), "width")?);
    let intrinsics = Intrinsics::pinhole(width, height, at(2, 4), at(2, 4));
    intrinsics.validate().map_err(|e| format!("its focal length: {e}"))?;
    let bounds = [row[15], row[16]];
    if !(bounds[0] > 0.0 && bounds[1] > bounds[0] && bounds[1].is_finite()) {
        return Err(format!(
            "its nearest and farthest depth are {bounds:?}, they must be positive and ascending"
        ));
    }
    Ok(LlffView { pose, intrinsics, bounds })
}

/// Lists the images beside the file.
pub(super) fn read(path: &Path) -> Result<Listing, SceneError> {
    let bytes = regular::read(path).map_err(|source| SceneError::Io { path: path.to_owned(), source })?;
    let views = parse(&bytes).map_err(|(field, problem)| field_error(path, &field, &problem))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (images, warnings) = images(path, folder, views.len())?;
    // As beside a COLMAP model.
    let masks = folder.join("masks");
    let mask = |image: &Path| mask_beside(&masks, &image.file_name()?.to_string_lossy()).map(MaskFile::new);
    let frames = views.into_iter().zip(images).enumerate().map(|(i, (view, image))| ListedFrame {
        mask: mask(&image),
        name: image.strip_prefix(folder).unwrap_or(&image).to_string_lossy().into_owned(),
        image,
        pose: view.pose,
        lens: ListedLens::Known(view.intrinsics),
        depth: None,
        clear: Clear::default(),
        bounds: Some(view.bounds),
        split: None,
        listed_in: path.to_owned(),
        place: format!("row {i}"),
    });
    Ok(Listing {
        source: path.to_owned(),
        format: SceneFormat::Llff,
        placement: None,
        frames: frames.collect(),
        points: Vec::new(),
        warnings,
    })
}

/// The images of the first folder that has as many as there are poses, in the order of the rows: sorted by name as text,
/// as LLFF's own code does (`img_10` before `img_2`). Also returns warnings about the choice.
fn images(path: &Path, folder: &Path, count: usize) -> Result<(Vec<PathBuf>, Vec<String>), SceneError> {
    let mut found: Vec<String> = Vec::new();
    for name in FOLDERS {
        let natural = photos_in(&folder.join(name));
        let images = {
            let mut images = natural.clone();
            images.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
            images
        };
        if images.len() == count {
            let mut warnings = Vec::new();
            if !found.is_empty() {
                warnings.push(format!("{name} is used: {}, and the file is for {count}", found.join(", ")));
            }
            if let Some((text, number)) = images.iter().zip(&natural).find(|(a, b)| a != b) {
                let [text, number] =
                    [text, number].map(|p| p.file_name().unwrap_or_default().to_string_lossy());
                warnings.push(format!(
                    "poses are assigned to images sorted by name as text, as LLFF writes them: {text} comes before {number}"
                ));
            }
            return Ok((images, warnings));
        }
        if !images.is_empty() {
            found.push(format!("{name} has {}", images.len()));
        }
    }
    let found = if found.is_empty() { "there are none".to_owned() } else { found.join(", ") };
    let problem = format!(
        "are for {count} images, which must be beside the file in one of {}; {found}",
        FOLDERS.join(", ")
    );
    Err(field_error(path, "the poses", &problem))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::scene::{LoadOptions, load, outline};
    use crate::testing::{ColmapScene, look_at, picture, real_data};
    use nalgebra::{Isometry3, Point3};

    fn row(pose: &Isometry3<f64>) -> Vec<f64> {
        let m = pose.to_homogeneous();
        let hwf = [12.0, 16.0, 18.0];
        let mut row: Vec<f64> =
            (0..3).flat_map(|r| [-m[(r, 1)], m[(r, 0)], m[(r, 2)], m[(r, 3)], hwf[r]]).collect();
        row.extend([1.5, 9.0]);
        row
    }

    fn file(rows: &[Vec<f64>]) -> Vec<u8> {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, 17), }}\n", rows.len());
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(rows.iter().flatten().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    fn poses(count: usize) -> Vec<Isometry3<f64>> {
        let at = |i: usize| look_at(Point3::new(i as f64, 0.0, 1.0), Point3::new(i as f64 * 0.9, 8.0, 0.0));
        (0..count).map(at).collect()
    }

    #[test]
    fn reads_poses_and_the_images_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let poses = poses(17);
        std::fs::write(folder.path().join(FILE), file(&poses.iter().map(row).collect::<Vec<_>>())).unwrap();
        for i in 0..17 {
            picture(&folder.path().join(format!("images_2/img_{i}.png")), 8, 6, i as u8);
        }
        picture(&folder.path().join("images/one.png"), 16, 12, 0);
        let scene = load(folder.path(), &LoadOptions::default()).unwrap();
        assert_eq!(scene.splits.test, [0, 8, 16]);
        // Views go by numbers, rows by names as text: img_0, img_1, img_10, ..., img_16, img_2, ...
        let mut rows: Vec<usize> = (0..17).collect();
        rows.sort_by_key(|i| format!("img_{i}.png"));
        for (i, view) in scene.views.iter().enumerate() {
            assert_eq!(view.image.pixel(1, 0)[0], i as u8, "numbers are in order");
            let i = rows.iter().position(|row| *row == i).unwrap();
            assert!((view.camera.pose.to_homogeneous() - poses[i].to_homogeneous()).amax() < 1e-12);
            let k = &view.camera.intrinsics;
            assert_eq!((k.fx, k.fy, k.cx, k.cy), (9.0, 9.0, 4.0, 3.0), "half of what the file says");
        }
        let said = scene.warnings.join("\n");
        for part in
            ["images_2 is used: images has 1, and the file is for 17", "img_10.png comes before img_2.png"]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
        // What is near lies in the render box, and nothing is nearer than the near plane.
        let near = scene.near.unwrap();
        assert!(near < 1.5 * scene.frame.scaling() && near > 0.5 * scene.frame.scaling());

        std::fs::remove_file(folder.path().join("images_2/img_3.png")).unwrap();
        let error = outline(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("17 images") && error.contains("images has 1, images_2 has 16"), "{error}");
    }

    #[test]
    fn masks_beside_the_images_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<_> = poses(3).iter().map(row).collect();
        std::fs::write(folder.path().join(FILE), file(&rows)).unwrap();
        for i in 0..3 {
            picture(&folder.path().join(format!("images_2/{i}.png")), 8, 6, i);
        }
        let masks = folder.path().join("masks");
        std::fs::create_dir(&masks).unwrap();
        // At the size of the full images, as they usually are.
        let black = ::image::GrayImage::from_fn(16, 12, |x, _| ::image::Luma([if x < 8 { 0 } else { 255 }]));
        black.save(masks.join("1.png")).unwrap();
        let scene = load(folder.path(), &LoadOptions::default()).unwrap();
        let counts =
            |i: usize| scene.views[i].mask.as_ref().map(|mask| [mask.counts(3, 0), mask.counts(4, 0)]);
        assert_eq!([counts(0), counts(1), counts(2)], [None, Some([false, true]), None]);
        let said = scene.warnings.join("\n");
        assert!(
            said.contains("1 images have another size")
                && said.contains("name that of 0.png masks/0.png.png"),
            "{said}"
        );
    }

    #[test]
    fn it_stands_in_for_a_model_without_images() {
        let folder = tempfile::tempdir().unwrap();
        let poses = poses(4);
        std::fs::write(folder.path().join(FILE), file(&poses.iter().map(row).collect::<Vec<_>>())).unwrap();
        ColmapScene::new("SIMPLE_PINHOLE", 16, 12, &[18.0, 8.0, 6.0], &poses).write(
            folder.path(),
            "sparse/0",
            true,
        );
        (0..4).for_each(|i| picture(&folder.path().join(format!("images_8/small_{i}.png")), 8, 6, i));
        let format = || outline(folder.path(), &LoadOptions::default()).unwrap().format;
        assert_eq!(format(), SceneFormat::Llff);
        picture(&folder.path().join("images/2.png"), 16, 12, 0);
        assert_eq!(format(), SceneFormat::Colmap, "one of the model's own images is enough");
    }

    #[test]
    fn bad_files_are_refused_by_place() {
        let good = poses(2).iter().map(row).collect::<Vec<_>>();
        assert_eq!(parse(&file(&good)).unwrap().len(), 2);
        let broken = |column: usize, value: f64| {
            let mut rows = good.clone();
            rows[1][column] = value;
            let (place, problem) = parse(&file(&rows)).unwrap_err();
            assert_eq!(place, "row 1");
            problem
        };
        for (column, value, what) in [
            (0, f64::NAN, "not finite"),
            (3, f64::INFINITY, "not finite"),
            (6, 7.0, "rotation"),
            (4, 12.5, "height"),
            (9, 1e12, "width"),
            (14, 0.0, "focal"),
            (14, -3.0, "focal"),
            (15, 0.0, "depth"),
            (16, 1.0, "depth"),
        ] {
            let problem = broken(column, value);
            assert!(problem.contains(what), "{column}: {problem}");
        }
        let bytes = file(&good);
        assert_eq!(parse(&bytes[..bytes.len() - 1]).unwrap_err().0, "the array");
        assert_eq!(parse(&file(&[])).unwrap_err().0, "the shape");
        let mut wide = Vec::new();
        npy::write_f32(&mut wide, &[1, 15], (0..15).map(|v| v as f32)).unwrap();
        assert!(parse(&wide).unwrap_err().1.contains("[1, 15]"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = file(&poses(2).iter().map(row).collect::<Vec<_>>());
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = parse(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn real_fern() {
        let Some(path) = real_data("real_fern", "fern") else { return };
        let scene = outline(&path, &LoadOptions::default()).unwrap();
        assert_eq!((scene.views.len(), scene.splits.test.len()), (20, 3));
        let k = &scene.views[0].camera.intrinsics;
        assert_eq!((k.width, k.height), (504, 378));
        assert!((k.fx - 407.5).abs() < 1.0, "{}", k.fx);
    }
}
