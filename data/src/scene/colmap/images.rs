//! `images.bin`, `images.txt`: which image was taken from where. The keypoints are skipped.

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector3};

use super::binary::Reader;
use super::flaw::Flaw;
use super::text::Entries;
use crate::camera::FARTHEST;

/// One registered image.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelImage {
    /// Its id, which points refer to.
    pub id: u32,
    /// Its camera's id.
    pub camera: u32,
    /// Its path below the image folder.
    pub name: String,
    /// Camera-to-world, in this crate's axes; not finite if the file has NaN for it.
    pub pose: Isometry3<f64>,
}

impl ModelImage {
    /// Whether it has a pose.
    pub fn is_placed(&self) -> bool {
        self.pose.to_homogeneous().iter().all(|v| v.is_finite())
    }
}

/// Bytes of a keypoint: x, y, its point.
const KEYPOINT: usize = 24;
/// How far a quaternion's length may be from 1; COLMAP writes them normalized.
const UNIT: f64 = 1e-3;

/// Reads `images.bin`.
///
/// # Errors
/// If the bytes end too early, a pose is invalid, or a name is not UTF-8.
pub fn from_binary(bytes: &[u8]) -> Result<Vec<ModelImage>, Flaw> {
    let mut file = Reader::new(bytes);
    // Without a name and keypoints.
    let count = file.count(4 + 56 + 4 + 1 + 8, &|| "the number of images".into())?;
    let mut images = Vec::with_capacity(count);
    for i in 0..count {
        let place = || format!("image {} of {count}", i + 1);
        let id = file.u32(&place)?;
        let (rotation, translation) = (file.f64s(&place)?, file.f64s(&place)?);
        let camera = file.u32(&place)?;
        let name = std::str::from_utf8(file.terminated(&place)?).map_err(|_| {
            Flaw::new(format!("image {id}"), "its name is not UTF-8; rename the file and solve again")
        })?;
        let keypoints = file.count(KEYPOINT, &|| format!("image {id}: the number of keypoints"))?;
        file.take(keypoints * KEYPOINT, &place)?;
        images.push(image(id, rotation, translation, camera, name)?);
    }
    file.end()?;
    Ok(images)
}

/// Reads `images.txt`: two lines an image, the second with its keypoints, perhaps empty.
///
/// # Errors
/// If a line is malformed or a pose is invalid; one that is NaN is that of an image without a pose.
pub fn from_text(bytes: &[u8]) -> Result<Vec<ModelImage>, Flaw> {
    let mut lines = Entries::new(bytes)?;
    let mut images = Vec::new();
    while let Some(mut line) = lines.next() {
        let id = line.number("IMAGE_ID")?;
        let rotation = line.numbers(["QW", "QX", "QY", "QZ"])?;
        let translation = line.numbers(["TX", "TY", "TZ"])?;
        let camera = line.number("CAMERA_ID")?;
        images.push(image(id, rotation, translation, camera, line.remainder())?);
        let keypoints = lines.raw().unwrap_or_default();
        if !are_keypoints(keypoints) {
            let problem = format!(
                "is not the line of keypoints of image {id}, which must follow the line of each image and may be empty"
            );
            return Err(Flaw::new(lines.place(), problem));
        }
    }
    Ok(images)
}

/// Whether a line can be one of keypoints: repeated `X Y POINT3D_ID`, or empty.
fn are_keypoints(line: &str) -> bool {
    let last = line.split_whitespace().next_back();
    last.is_none_or(|last| last.parse::<i64>().is_ok() && line.split_whitespace().count().is_multiple_of(3))
}

/// The number of images that a text file lists.
pub(super) fn count_in_text(bytes: &[u8]) -> Result<usize, Flaw> {
    let mut lines = Entries::new(bytes)?;
    let mut count = 0;
    while lines.next().is_some() {
        count += 1;
        lines.raw();
    }
    Ok(count)
}

/// From COLMAP's pose: world-to-camera with `y` down and `z` forward, the quaternion's real part first.
fn image(id: u32, q: [f64; 4], t: [f64; 3], camera: u32, name: &str) -> Result<ModelImage, Flaw> {
    let flaw = |problem: String| Flaw::new(format!("image {id}"), problem);
    if name.is_empty() {
        return Err(flaw("it has no name".into()));
    }
    if q.iter().chain(&t).any(|v| v.is_nan()) {
        let pose = Isometry3::translation(f64::NAN, f64::NAN, f64::NAN);
        return Ok(ModelImage { id, camera, name: name.to_owned(), pose });
    }
    let quaternion = Quaternion::new(q[0], q[1], q[2], q[3]);
    let length = quaternion.norm();
    if length.is_nan() || (length - 1.0).abs() > UNIT {
        return Err(flaw(format!("its rotation {q:?} is not a unit quaternion")));
    }
    if !t.iter().all(|v| v.is_finite()) {
        return Err(flaw(format!("its translation {t:?} is not finite")));
    }
    if t.iter().any(|v| v.abs() > FARTHEST) {
        return Err(flaw(format!("its translation {t:?} is too far from the origin to compute with")));
    }
    // A half turn about x takes this crate's axes to COLMAP's.
    let to_colmap = UnitQuaternion::new_unchecked(Quaternion::new(0.0, 1.0, 0.0, 0.0));
    let to_world = UnitQuaternion::new_normalize(quaternion).inverse();
    let centre = to_world * -Vector3::from(t);
    let pose = Isometry3::from_parts(Translation3::from(centre), to_world * to_colmap);
    Ok(ModelImage { id, camera, name: name.to_owned(), pose })
}
