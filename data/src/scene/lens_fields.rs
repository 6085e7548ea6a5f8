//! Intrinsics in `transforms.json` files, per file and per frame, and the resulting intrinsics of an image.

use std::f64::consts::PI;

use serde::Deserialize;

use crate::camera::{Distortion, Intrinsics};
use crate::image::MAX_SIDE;
pub(super) use crate::image::same_shape;

/// The fields as found. `w`, `h`, `fl_*` and `c*` are in pixels, `camera_angle_*` in radians, `*_fov` and `fov_*` in degrees.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct LensFields {
    pub camera_angle_x: Option<f64>,
    pub camera_angle_y: Option<f64>,
    pub x_fov: Option<f64>,
    pub y_fov: Option<f64>,
    pub fov_x: Option<f64>,
    pub fov_y: Option<f64>,
    pub fl_x: Option<f64>,
    pub fl_y: Option<f64>,
    pub cx: Option<f64>,
    pub cy: Option<f64>,
    pub w: Option<f64>,
    pub h: Option<f64>,
    pub k1: Option<f64>,
    pub k2: Option<f64>,
    pub k3: Option<f64>,
    pub k4: Option<f64>,
    pub p1: Option<f64>,
    pub p2: Option<f64>,
    pub is_fisheye: Option<bool>,
    pub camera_model: Option<String>,
    // Lenses of Instant-NGP that are not supported: read only to be refused.
    ftheta_p0: Option<f64>,
    latlong: Option<bool>,
    equirectangular: Option<bool>,
}

/// A field that cannot be used: its name and what is wrong with it.
pub(super) type FieldProblem = (&'static str, String);

/// Intrinsics for an image as it is on disk.
#[derive(Debug)]
pub(super) struct ResolvedLens {
    pub intrinsics: Intrinsics,
    /// The image is a resampled version of what the file describes.
    pub rescaled: bool,
}

impl ResolvedLens {
    /// What describes an image of some size, for a resampled version of it.
    pub fn fit(described: &Intrinsics, width: u32, height: u32) -> Result<Self, FieldProblem> {
        let (w, h) = (described.width, described.height);
        let rescaled = (w, h) != (width, height);
        if rescaled && !same_shape((w, h), (width, height)) {
            let problem = format!(
                "w, h are {w}x{h} but the image has {width}x{height} pixels, which is not a uniform scaling; was it cropped or \
                 rotated after solving?"
            );
            return Err(("w", problem));
        }
        let intrinsics = if rescaled { described.resized(width, height) } else { *described };
        Ok(Self { intrinsics, rescaled })
    }
}

impl LensFields {
    /// These fields where given, else the other's. All forms of the focal length are taken from one of the two: a
    /// frame's angle is not mixed with the file's focal length in pixels.
    pub fn over(&self, other: &Self) -> Self {
        let pixels = [self.fl_x, self.fl_y];
        let angles =
            [self.camera_angle_x, self.camera_angle_y, self.x_fov, self.y_fov, self.fov_x, self.fov_y];
        let own = pixels.iter().chain(&angles).any(Option::is_some);
        let focal = if own { self } else { other };
        Self {
            camera_angle_x: focal.camera_angle_x,
            camera_angle_y: focal.camera_angle_y,
            x_fov: focal.x_fov,
            y_fov: focal.y_fov,
            fov_x: focal.fov_x,
            fov_y: focal.fov_y,
            fl_x: focal.fl_x,
            fl_y: focal.fl_y,
            cx: self.cx.or(other.cx),
            cy: self.cy.or(other.cy),
            w: self.w.or(other.w),
            h: self.h.or(other.h),
            k1: self.k1.or(other.k1),
            k2: self.k2.or(other.k2),
            k3: self.k3.or(other.k3),
            k4: self.k4.or(other.k4),
            p1: self.p1.or(other.p1),
            p2: self.p2.or(other.p2),
            is_fisheye: self.is_fisheye.or(other.is_fisheye),
            camera_model: self.camera_model.clone().or_else(|| other.camera_model.clone()),
            ftheta_p0: self.ftheta_p0.or(other.ftheta_p0),
            latlong: self.latlong.or(other.latlong),
            equirectangular: self.equirectangular.or(other.equirectangular),
        }
    }

    /// The intrinsics for an image of this size. Where `w` and `h` are absent, they are the image's; where they
    /// differ from it by a uniform scaling, everything is scaled with them.
    pub fn resolve(&self, width: u32, height: u32) -> Result<ResolvedLens, FieldProblem> {
        let w = side("w", self.w, width)?;
        let h = side("h", self.h, height)?;
        let along_x = focal(
            ("fl_x", self.fl_x),
            ("camera_angle_x", self.camera_angle_x),
            ("x_fov", self.x_fov.or(self.fov_x)),
            w,
        )?;
        let along_y = focal(
            ("fl_y", self.fl_y),
            ("camera_angle_y", self.camera_angle_y),
            ("y_fov", self.y_fov.or(self.fov_y)),
            h,
        )?;
        let Some(fx) = along_x.or(along_y) else {
            return Err((
                "fl_x",
                "is missing, and so is camera_angle_x; give the focal length in one of them".into(),
            ));
        };
        let described = Intrinsics {
            width: w,
            height: h,
            fx,
            fy: along_y.unwrap_or(fx),
            cx: self.cx.unwrap_or(f64::from(w) / 2.0),
            cy: self.cy.unwrap_or(f64::from(h) / 2.0),
            distortion: self.distortion()?,
        };
        described.validate().map_err(|e| ("intrinsics", e.to_string()))?;
        ResolvedLens::fit(&described, width, height)
    }

    /// Whether an image of this size is what `w` and `h` describe, or a resampled version of it; any is where they
    /// are absent.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        let (w, h) = (side("w", self.w, width), side("h", self.h, height));
        matches!((w, h), (Ok(w), Ok(h)) if same_shape((w, h), (width, height)))
    }

    fn distortion(&self) -> Result<Distortion, FieldProblem> {
        const KNOWN: &str = "pinhole, OpenCV and OpenCV fisheye lenses are; undistort the images first, with COLMAP's \
            `colmap image_undistorter` or Nerfstudio's `ns-process-data`";
        let refuse = |field, what: &str| Err((field, format!("{what} is not supported, {KNOWN}")));
        if self.ftheta_p0.is_some() {
            return refuse("ftheta_p0", "the f-theta lens");
        }
        if self.latlong == Some(true) {
            return refuse("latlong", "a latitude-longitude image");
        }
        if self.equirectangular == Some(true) {
            return refuse("equirectangular", "an equirectangular image");
        }
        let fisheye = match self.camera_model.as_deref() {
            None => self.is_fisheye.unwrap_or(false),
            Some("OPENCV_FISHEYE" | "RADIAL_FISHEYE" | "SIMPLE_RADIAL_FISHEYE") => true,
            Some("OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" | "PERSPECTIVE") => {
                self.is_fisheye.unwrap_or(false)
            }
            Some(model) => return refuse("camera_model", model),
        };
        let [k1, k2, k3, k4, p1, p2] =
            [self.k1, self.k2, self.k3, self.k4, self.p1, self.p2].map(Option::unwrap_or_default);
        if fisheye {
            if (p1, p2) != (0.0, 0.0) {
                return Err(("p1", "p1 and p2 have no meaning for a fisheye lens; leave them out".into()));
            }
            return Ok(Distortion::Fisheye { k1, k2, k3, k4 });
        }
        if k4 != 0.0 {
            // Programs disagree on its meaning: a coefficient of OpenCV's rational denominator, or of the eighth order.
            return refuse("k4", "a fourth radial coefficient without is_fisheye");
        }
        let model = Distortion::OpenCv { k1, k2, k3, p1, p2 };
        Ok(if model.is_none() { Distortion::None } else { model })
    }
}

/// A side in pixels as stated, or the image's. Files write `1080.0` as well as `1080`.
fn side(field: &'static str, stated: Option<f64>, image: u32) -> Result<u32, FieldProblem> {
    match stated {
        None => Ok(image),
        Some(v) if v.fract() == 0.0 && (1.0..=f64::from(MAX_SIDE)).contains(&v) => Ok(v as u32),
        Some(v) => Err((field, format!("is {v}, it must be a whole number of pixels from 1 to {MAX_SIDE}"))),
    }
}

fn focal(
    pixels: (&'static str, Option<f64>),
    angle: (&'static str, Option<f64>),
    degrees: (&'static str, Option<f64>),
    side: u32,
) -> Result<Option<f64>, FieldProblem> {
    // As in Instant-NGP, degrees come first.
    if let Some(angle) = degrees.1 {
        return match angle > 0.0 && angle < 180.0 {
            true => Ok(Some(0.5 * f64::from(side) / (0.5 * angle.to_radians()).tan())),
            false => {
                Err((degrees.0, format!("is {angle}, it must be an angle in degrees between 0 and 180")))
            }
        };
    }
    match (pixels.1, angle.1) {
        (Some(f), _) if f.is_finite() && f > 0.0 => Ok(Some(f)),
        (Some(f), _) => Err((pixels.0, format!("is {f}, it must be positive"))),
        (None, Some(a)) if a > 0.0 && a < PI => Ok(Some(0.5 * f64::from(side) / (0.5 * a).tan())),
        (None, Some(a)) => Err((angle.0, format!("is {a}, it must be an angle in radians between 0 and pi"))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fields(json: serde_json::Value) -> LensFields {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn focal_lengths_in_either_form() {
        let angle = fields(serde_json::json!({"camera_angle_x": 1.0})).resolve(200, 100).unwrap().intrinsics;
        assert!((angle.angle_x() - 1.0).abs() < 1e-15);
        assert_eq!((angle.fy, angle.cx, angle.cy), (angle.fx, 100.0, 50.0));
        let both = fields(serde_json::json!({"camera_angle_x": 1.0, "fl_x": 70, "fl_y": 80.0}));
        let both = both.resolve(200, 100).unwrap().intrinsics;
        assert_eq!((both.fx, both.fy), (70.0, 80.0));
        for name in ["x_fov", "fov_x"] {
            let degrees =
                fields(serde_json::json!({name: 60.0, "fl_x": 7})).resolve(200, 100).unwrap().intrinsics;
            assert!(
                (degrees.angle_x().to_degrees() - 60.0).abs() < 1e-12 && degrees.fy == degrees.fx,
                "{name}"
            );
        }
        let y = fields(serde_json::json!({"fl_y": 80})).resolve(200, 100).unwrap().intrinsics;
        assert_eq!(y.fx, 80.0);
    }

    #[test]
    fn a_frame_overrides_its_file() {
        let file =
            fields(serde_json::json!({"fl_x": 70, "fl_y": 71, "k1": 0.1, "k2": 0.2, "w": 10, "h": 10}));
        let frame = fields(serde_json::json!({"camera_angle_x": 1.0, "k1": 0.3, "cx": 4}));
        let k = frame.over(&file).resolve(10, 10).unwrap().intrinsics;
        assert!((k.angle_x() - 1.0).abs() < 1e-15 && k.fy == k.fx && k.cx == 4.0);
        assert_eq!(k.distortion, Distortion::OpenCv { k1: 0.3, k2: 0.2, k3: 0.0, p1: 0.0, p2: 0.0 });
        assert_eq!(LensFields::default().over(&file).resolve(10, 10).unwrap().intrinsics.fy, 71.0);
    }

    #[test]
    fn a_resampled_image_scales_everything() {
        let file = fields(serde_json::json!({"fl_x": 100, "cx": 60, "cy": 30, "w": 101, "h": 67}));
        let half = file.resolve(50, 33).unwrap();
        assert!(half.rescaled);
        assert!((half.intrinsics.fx - 100.0 * 50.0 / 101.0).abs() < 1e-12);
        assert!((half.intrinsics.cy - 30.0 * 33.0 / 67.0).abs() < 1e-12);
        let (field, problem) = file.resolve(67, 101).unwrap_err();
        assert!(field == "w" && problem.contains("101x67") && problem.contains("67x101"));
    }

    #[test]
    fn problems_name_the_field() {
        for (json, field) in [
            (serde_json::json!({}), "fl_x"),
            (serde_json::json!({"fl_x": 0}), "fl_x"),
            (serde_json::json!({"camera_angle_x": 3.2}), "camera_angle_x"),
            (serde_json::json!({"x_fov": 180}), "x_fov"),
            (serde_json::json!({"fl_x": 9, "w": 9.5}), "w"),
            (serde_json::json!({"fl_x": 9, "h": 1e9}), "h"),
            (serde_json::json!({"fl_x": 9, "k4": 0.1}), "k4"),
            (serde_json::json!({"fl_x": 9, "p1": 0.1, "is_fisheye": true}), "p1"),
            (serde_json::json!({"fl_x": 9, "camera_model": "EQUIRECTANGULAR"}), "camera_model"),
            (serde_json::json!({"fl_x": 9, "ftheta_p0": 0.1}), "ftheta_p0"),
        ] {
            assert_eq!(fields(json.clone()).resolve(9, 9).unwrap_err().0, field, "{json}");
        }
    }

    #[test]
    fn fisheye_by_flag_or_model() {
        let want = Distortion::Fisheye { k1: 0.1, k2: 0.0, k3: 0.0, k4: 0.4 };
        for json in [
            serde_json::json!({"fl_x": 9, "k1": 0.1, "k4": 0.4, "is_fisheye": true}),
            serde_json::json!({"fl_x": 9, "k1": 0.1, "k4": 0.4, "camera_model": "OPENCV_FISHEYE"}),
        ] {
            assert_eq!(fields(json).resolve(9, 9).unwrap().intrinsics.distortion, want);
        }
    }
}
