//! `cameras.bin`, `cameras.txt`: COLMAP's camera models, and their conversion to this crate's intrinsics.

use super::binary::Reader;
use super::flaw::Flaw;
use super::text::Entries;
use crate::camera::{Distortion, Intrinsics};
use crate::image::MAX_SIDE;

/// A camera model that COLMAP has published: its name, its number in binary files, and how many parameters it has.
#[derive(Debug, PartialEq, Eq)]
pub struct CameraModel {
    /// As in text files.
    pub name: &'static str,
    /// As in binary files.
    pub number: u32,
    /// Focal lengths, principal point and what comes after.
    pub parameters: usize,
}

const fn camera_model(number: u32, name: &'static str, parameters: usize) -> CameraModel {
    CameraModel { name, number, parameters }
}

/// All models up to COLMAP 4.1.
pub const CAMERA_MODELS: [CameraModel; 18] = [
    camera_model(0, "SIMPLE_PINHOLE", 3),
    camera_model(1, "PINHOLE", 4),
    camera_model(2, "SIMPLE_RADIAL", 4),
    camera_model(3, "RADIAL", 5),
    camera_model(4, "OPENCV", 8),
    camera_model(5, "OPENCV_FISHEYE", 8),
    camera_model(6, "FULL_OPENCV", 12),
    camera_model(7, "FOV", 5),
    camera_model(8, "SIMPLE_RADIAL_FISHEYE", 4),
    camera_model(9, "RADIAL_FISHEYE", 5),
    camera_model(10, "THIN_PRISM_FISHEYE", 12),
    camera_model(11, "RAD_TAN_THIN_PRISM_FISHEYE", 16),
    camera_model(12, "SIMPLE_DIVISION", 4),
    camera_model(13, "DIVISION", 5),
    camera_model(14, "SIMPLE_FISHEYE", 3),
    camera_model(15, "FISHEYE", 4),
    camera_model(16, "EUCM", 6),
    camera_model(17, "EQUIRECTANGULAR", 2),
];

/// One camera as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCamera {
    /// Its id.
    pub id: u32,
    /// Its model.
    pub model: &'static CameraModel,
    /// Width in pixels.
    pub width: u64,
    /// Height in pixels.
    pub height: u64,
    /// As many as its model has.
    pub parameters: Vec<f64>,
    /// Why it cannot be used, if its model is none of [`CAMERA_MODELS`]: no matter if no image does.
    pub unknown: Option<Flaw>,
}

/// Stands for a model that is not known.
const NO_MODEL: CameraModel = camera_model(u32::MAX, "unknown", 0);

impl ModelCamera {
    /// The camera as this crate's intrinsics. Both count pixels from the image's corner.
    ///
    /// # Errors
    /// If its model is not supported, or a number cannot be used.
    pub fn intrinsics(&self) -> Result<Intrinsics, Flaw> {
        if let Some(flaw) = &self.unknown {
            return Err(flaw.clone());
        }
        let flaw = |problem: String| Flaw::new(format!("camera {}", self.id), problem);
        let side = |value: u64, name: &str| match u32::try_from(value) {
            Ok(value) if (1..=MAX_SIDE).contains(&value) => Ok(value),
            _ => Err(flaw(format!("{name} is {value} pixels, it must be from 1 to {MAX_SIDE}"))),
        };
        let (width, height) = (side(self.width, "the width")?, side(self.height, "the height")?);
        let opencv = |k1, k2, p1, p2| Distortion::OpenCv { k1, k2, k3: 0.0, p1, p2 };
        let fisheye = |k1, k2, k3, k4| Distortion::Fisheye { k1, k2, k3, k4 };
        // COLMAP's parameters come as focal lengths, principal point, the rest.
        let (focal, centre, distortion) = match (self.model.name, self.parameters.as_slice()) {
            ("SIMPLE_PINHOLE", &[f, cx, cy]) => ([f, f], [cx, cy], Distortion::None),
            ("PINHOLE", &[fx, fy, cx, cy]) => ([fx, fy], [cx, cy], Distortion::None),
            ("SIMPLE_RADIAL", &[f, cx, cy, k]) => ([f, f], [cx, cy], opencv(k, 0.0, 0.0, 0.0)),
            ("RADIAL", &[f, cx, cy, k1, k2]) => ([f, f], [cx, cy], opencv(k1, k2, 0.0, 0.0)),
            ("OPENCV", &[fx, fy, cx, cy, k1, k2, p1, p2]) => ([fx, fy], [cx, cy], opencv(k1, k2, p1, p2)),
            ("FULL_OPENCV", &[fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, k5, k6]) => {
                let model =
                    Distortion::FullOpenCv { above: [k1, k2, k3], below: [k4, k5, k6], tangential: [p1, p2] };
                ([fx, fy], [cx, cy], model)
            }
            ("OPENCV_FISHEYE", &[fx, fy, cx, cy, k1, k2, k3, k4]) => {
                ([fx, fy], [cx, cy], fisheye(k1, k2, k3, k4))
            }
            ("SIMPLE_RADIAL_FISHEYE", &[f, cx, cy, k]) => ([f, f], [cx, cy], fisheye(k, 0.0, 0.0, 0.0)),
            ("RADIAL_FISHEYE", &[f, cx, cy, k1, k2]) => ([f, f], [cx, cy], fisheye(k1, k2, 0.0, 0.0)),
            ("SIMPLE_FISHEYE", &[f, cx, cy]) => ([f, f], [cx, cy], fisheye(0.0, 0.0, 0.0, 0.0)),
            ("FISHEYE", &[fx, fy, cx, cy]) => ([fx, fy], [cx, cy], fisheye(0.0, 0.0, 0.0, 0.0)),
            ("THIN_PRISM_FISHEYE", &[fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx, sy]) => {
                let model = Distortion::ThinPrismFisheye {
                    radial: [k1, k2, k3, k4],
                    tangential: [p1, p2],
                    prism: [sx, sy],
                };
                ([fx, fy], [cx, cy], model)
            }
            (name, _) => {
                return Err(flaw(format!(
                    "the camera model {name} is not supported; undistort the images with `colmap image_undistorter \
                     --image_path IMAGES --input_path MODEL --output_path NEW` and train on NEW"
                )));
            }
        };
        let distortion = if distortion.is_none() { Distortion::None } else { distortion };
        let ([fx, fy], [cx, cy]) = (focal, centre);
        let intrinsics = Intrinsics { width, height, fx, fy, cx, cy, distortion };
        intrinsics.validate().map_err(|e| flaw(e.to_string()))?;
        Ok(intrinsics)
    }
}

/// Reads `cameras.bin`.
///
/// # Errors
/// If the bytes end too early or a model is none of [`CAMERA_MODELS`].
pub fn from_binary(bytes: &[u8]) -> Result<Vec<ModelCamera>, Flaw> {
    let mut file = Reader::new(bytes);
    // The smallest camera has two parameters.
    let count = file.count(4 + 4 + 8 + 8 + 16, &|| "the number of cameras".into())?;
    let mut cameras = Vec::with_capacity(count);
    for i in 0..count {
        let place = || format!("camera {} of {count}", i + 1);
        let id = file.u32(&place)?;
        let number = file.u32(&place)?;
        let model = CAMERA_MODELS.iter().find(|model| model.number == number).ok_or_else(|| {
            Flaw::new(format!("camera {id}"), format!("its model has the number {number}, which {UNKNOWN}"))
        })?;
        let (width, height) = (file.u64(&place)?, file.u64(&place)?);
        let parameters = (0..model.parameters).map(|_| file.f64(&place)).collect::<Result<_, _>>()?;
        cameras.push(ModelCamera { id, model, width, height, parameters, unknown: None });
    }
    file.end()?;
    Ok(cameras)
}

/// Reads `cameras.txt`.
///
/// # Errors
/// If a line is malformed; a camera whose model is none of [`CAMERA_MODELS`] is an error when it is used.
pub fn from_text(bytes: &[u8]) -> Result<Vec<ModelCamera>, Flaw> {
    let mut lines = Entries::new(bytes)?;
    let mut cameras = Vec::new();
    while let Some(mut line) = lines.next() {
        let id = line.number("CAMERA_ID")?;
        let name = line.word().unwrap_or_default();
        let Some(model) = CAMERA_MODELS.iter().find(|model| model.name == name) else {
            let name: String = name.chars().take(40).collect();
            let flaw = Flaw::new(line.place(), format!("its camera model is {name:?}, which {UNKNOWN}"));
            let (width, height) = (line.number("WIDTH")?, line.number("HEIGHT")?);
            let (parameters, unknown) = (Vec::new(), Some(flaw));
            cameras.push(ModelCamera { id, model: &NO_MODEL, width, height, parameters, unknown });
            continue;
        };
        let (width, height) = (line.number("WIDTH")?, line.number("HEIGHT")?);
        let parameters = (0..model.parameters).map(|_| line.number("PARAMS")).collect::<Result<_, _>>()?;
        if line.word().is_some() {
            let problem = format!("{} has {} parameters, more are given", model.name, model.parameters);
            return Err(Flaw::new(line.place(), problem));
        }
        cameras.push(ModelCamera { id, model, width, height, parameters, unknown: None });
    }
    Ok(cameras)
}

const UNKNOWN: &str = "is not a known model of COLMAP; undistort the images with `colmap image_undistorter`";
