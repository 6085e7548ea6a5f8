//! A camera's intrinsics: resolution, focal lengths, principal point and distortion, and the range each must lie in.

use serde::{Deserialize, Serialize};

use super::Distortion;

/// The intrinsics of a camera, in pixels of its own image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intrinsics {
    /// Image width in pixels.
    pub width: u32,
    /// Image height in pixels.
    pub height: u32,
    /// Horizontal focal length in pixels.
    pub fx: f64,
    /// Vertical focal length in pixels.
    pub fy: f64,
    /// Principal point, from the image's left edge.
    pub cx: f64,
    /// Principal point, from the image's top edge.
    pub cy: f64,
    /// Lens distortion, in normalized coordinates: it does not change with the resolution.
    pub distortion: Distortion,
}

/// Smallest and largest focal length as multiples of the shorter side: angles of view of 179 degrees and of a few seconds
/// of arc. Focal lengths given in millimeters or as fractions of the width are smaller.
const FOCAL: [f64; 2] = [0.01, 1e5];
/// Largest distance of the principal point from the corner, in multiples of the longer side: such is a small crop of a
/// large image.
const FARTHEST_OFF: f64 = 1e3;

/// Why intrinsics cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum IntrinsicsError {
    /// A number that must be finite and positive is not.
    #[error("{field} is {value}, it must be finite and positive")]
    NotPositive {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// The principal point or a distortion coefficient is not finite.
    #[error("{field} is not finite")]
    NotFinite {
        /// Which one.
        field: &'static str,
    },
    /// No lens has such a focal length or principal point: it is given in another unit, or damaged.
    #[error(
        "{field} is {value:e} pixels for an image of {width}x{height}, which no lens has; it must be in pixels of that \
         image, not in millimeters or fractions of its width"
    )]
    Absurd {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: f64,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The image has fewer pixels on a side than the downscale factor.
    #[error("{width}x{height} pixels cannot be downscaled by {by}; use a factor from 1 to the shorter side")]
    Downscale {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The factor asked for.
        by: u32,
    },
}

impl Intrinsics {
    /// An ideal pinhole with its principal point at the image's center.
    pub fn pinhole(width: u32, height: u32, fx: f64, fy: f64) -> Self {
        let (cx, cy) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
        Self { width, height, fx, fy, cx, cy, distortion: Distortion::None }
    }

    /// The horizontal angle of view in radians that an undistorted camera has with this focal length
    /// (Blender's `camera_angle_x`).
    pub fn angle_x(&self) -> f64 {
        2.0 * (f64::from(self.width) / (2.0 * self.fx)).atan()
    }

    /// Image point in pixels to normalized coordinates: focal lengths from the principal point, `y` down.
    pub fn normalised(&self, px: f64, py: f64) -> (f64, f64) {
        ((px - self.cx) / self.fx, (py - self.cy) / self.fy)
    }

    /// Checks that all numbers are finite and possible for a lens.
    ///
    /// # Errors
    /// Names the first field that is not finite, not positive, or impossible for a lens.
    pub fn validate(&self) -> Result<(), IntrinsicsError> {
        let sides = [("width", f64::from(self.width)), ("height", f64::from(self.height))];
        for (field, value) in sides.into_iter().chain([("fl_x", self.fx), ("fl_y", self.fy)]) {
            if !(value.is_finite() && value > 0.0) {
                return Err(IntrinsicsError::NotPositive { field, value });
            }
        }
        for (field, finite) in [
            ("cx", self.cx.is_finite()),
            ("cy", self.cy.is_finite()),
            ("distortion", self.distortion.is_finite()),
        ] {
            if !finite {
                return Err(IntrinsicsError::NotFinite { field });
            }
        }
        let (width, height) = (self.width, self.height);
        let shorter = f64::from(width.min(height));
        let (focal, off) = (FOCAL.map(|share| share * shorter), FARTHEST_OFF * f64::from(width.max(height)));
        for (field, value, possible) in [
            ("fl_x", self.fx, (focal[0]..=focal[1]).contains(&self.fx)),
            ("fl_y", self.fy, (focal[0]..=focal[1]).contains(&self.fy)),
            ("cx", self.cx, self.cx.abs() <= off),
            ("cy", self.cy, self.cy.abs() <= off),
        ] {
            if !possible {
                return Err(IntrinsicsError::Absurd { field, value, width, height });
            }
        }
        Ok(())
    }

    /// The intrinsics of the image that [`Image8::downscale`](crate::Image8::downscale) makes: `n x n` pixels
    /// become one, and the last `width % n` columns and `height % n` rows are cropped. Since pixels are counted
    /// from the top-left corner, focal lengths and principal point divide by `n` exactly.
    ///
    /// # Errors
    /// If `n` is 0 or larger than a side.
    pub fn downscale(&self, n: u32) -> Result<Self, IntrinsicsError> {
        if n == 0 || n > self.width.min(self.height) {
            return Err(IntrinsicsError::Downscale { width: self.width, height: self.height, by: n });
        }
        let k = f64::from(n);
        Ok(Self {
            width: self.width / n,
            height: self.height / n,
            fx: self.fx / k,
            fy: self.fy / k,
            cx: self.cx / k,
            cy: self.cy / k,
            distortion: self.distortion,
        })
    }

    /// The intrinsics of the same picture resampled to another resolution, each axis by its own factor.
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let sx = f64::from(width) / f64::from(self.width);
        let sy = f64::from(height) / f64::from(self.height);
        Self {
            width,
            height,
            fx: self.fx * sx,
            fy: self.fy * sy,
            cx: self.cx * sx,
            cy: self.cy * sy,
            distortion: self.distortion,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn downscale_crops_and_keeps_the_rays() {
        let full = Intrinsics { cx: 5.25, ..Intrinsics::pinhole(11, 7, 8.0, 9.0) };
        let half = full.downscale(2).unwrap();
        assert_eq!((half.width, half.height), (5, 3));
        // A 2x2 block's center is its small pixel's center.
        assert_eq!(full.normalised(3.0, 5.0), half.normalised(1.5, 2.5));
        assert_eq!(full.downscale(1).unwrap(), full);
        assert!(full.downscale(0).is_err());
        assert!(full.downscale(8).unwrap_err().to_string().contains("by 8"));
    }

    #[test]
    fn resized_scales_each_axis() {
        let k = Intrinsics::pinhole(100, 50, 80.0, 90.0).resized(200, 150);
        assert_eq!(k, Intrinsics::pinhole(200, 150, 160.0, 270.0));
    }

    #[test]
    fn validation_names_the_field() {
        let good = Intrinsics::pinhole(10, 10, 5.0, 5.0);
        assert_eq!(good.validate(), Ok(()));
        assert!(Intrinsics { width: 0, ..good }.validate().unwrap_err().to_string().starts_with("width"));
        assert!(Intrinsics { fy: -1.0, ..good }.validate().unwrap_err().to_string().starts_with("fl_y"));
        assert!(Intrinsics { cy: f64::NAN, ..good }.validate().unwrap_err().to_string().starts_with("cy"));
        for absurd in [
            Intrinsics { fx: 1e300, ..good },
            Intrinsics { fy: 1e-300, ..good },
            Intrinsics { fx: 4.2, ..Intrinsics::pinhole(4000, 3000, 3000.0, 3000.0) },
            Intrinsics { cx: 1e300, ..good },
            Intrinsics { cy: -1e9, ..good },
        ] {
            let error = absurd.validate().unwrap_err().to_string();
            assert!(error.contains("not in millimeters"), "{error}");
        }
        // A telescope's, and a small cut out of a large image.
        assert_eq!(Intrinsics::pinhole(100, 100, 1e6, 1e6).validate(), Ok(()));
        assert_eq!(Intrinsics { cx: -6000.0, ..good }.validate(), Ok(()));
        let distortion = Distortion::Fisheye { k1: f64::INFINITY, k2: 0.0, k3: 0.0, k4: 0.0 };
        assert!(Intrinsics { distortion, ..good }.validate().unwrap_err().to_string().contains("distortion"));
    }

    #[test]
    fn angle_x_is_blenders() {
        let k = Intrinsics::pinhole(800, 800, 0.5 * 800.0 / (0.5 * 0.6911112070083618f64).tan(), 1.0);
        assert!((k.angle_x() - 0.6911112070083618).abs() < 1e-15);
    }
}
