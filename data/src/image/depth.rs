//! Depth maps: reading PNG and NumPy files, and downscaling without mixing surfaces.

use std::path::Path;
use std::sync::Arc;

use ::image::DynamicImage;

use super::decode;
use super::mask::small;
use super::{FileKind, Image8, ImageError, ImageHeader, MAX_PIXELS};
use crate::npy;
use crate::regular;

/// Depths in a block that differ by more than this fraction of the nearest belong to more than one surface.
const ONE_SURFACE: f32 = 0.05;

/// The depth of each pixel as Nerfstudio defines it: the distance of what is seen from the camera's center **along
/// the optical axis** (z-depth, not along the ray), in the scene's world units. 0 means unknown.
/// Cloning shares the pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthMap {
    width: u32,
    height: u32,
    data: Arc<[f32]>,
}

impl DepthMap {
    /// Wraps depths, rows from the top. Negative and non-finite values become 0, unknown.
    ///
    /// # Errors
    /// If a side is 0 or the number of values does not fit.
    pub fn new(width: u32, height: u32, mut data: Vec<f32>) -> Result<Self, ImageError> {
        if data.is_empty() || data.len() as u64 != u64::from(width) * u64::from(height) {
            let bytes = data.len().saturating_mul(4);
            return Err(ImageError::Size { width, height, channels: 4, bytes });
        }
        data.iter_mut().filter(|d| !(d.is_finite() && **d > 0.0)).for_each(|d| *d = 0.0);
        Ok(Self { width, height, data: data.into() })
    }

    /// Reads a gray PNG of 8 or 16 bits, or a NumPy array `[height, width]` (or `[height, width, 1]`) by its content.
    /// Stored values times `unit` are world units.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, too large, or of another type or shape.
    pub fn open(path: &Path, unit: f64) -> Result<Self, ImageError> {
        let scaled = |value: f64| (value * unit) as f32;
        let kind = decode::kind(path)?;
        // A file that is neither but has an array's extension gets the error of an array.
        let array = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        if kind == FileKind::NumPy || kind == FileKind::Unknown && array {
            let refuse = |reason: String| ImageError::Depth { path: path.to_owned(), reason };
            let io = |source| ImageError::Io { path: path.to_owned(), source };
            if std::fs::metadata(path).map_err(io)?.len() > 8 * MAX_PIXELS {
                return Err(refuse(format!("it is larger than {MAX_PIXELS} pixels; resize it")));
            }
            let array = npy::parse(&regular::read(path).map_err(io)?).map_err(|e| refuse(e.to_string()))?;
            let (&[height, width] | &[height, width, 1]) = array.shape.as_slice() else {
                return Err(refuse(format!("its shape is {:?}, it must be [height, width]", array.shape)));
            };
            let side = |n: usize| match u32::try_from(n) {
                Ok(n) if n > 0 => Ok(n),
                _ => Err(refuse(format!("its shape is {:?}, which is not that of an image", array.shape))),
            };
            return Self::new(side(width)?, side(height)?, array.values.into_iter().map(scaled).collect());
        }
        let (_, image) = decode::dynamic(path)?;
        let (width, height) = (image.width(), image.height());
        let data = match image {
            DynamicImage::ImageLuma16(grey) => {
                grey.into_raw().into_iter().map(|v| scaled(v.into())).collect()
            }
            DynamicImage::ImageLuma8(grey) => grey.into_raw().into_iter().map(|v| scaled(v.into())).collect(),
            other => {
                let reason =
                    format!("its pixels are {:?}; a depth map must be gray, of 16 bits", other.color());
                return Err(ImageError::Depth { path: path.to_owned(), reason });
            }
        };
        Self::new(width, height, data)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, rows from the top; 0 where the depth is not known.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The same, to be kept without a copy.
    pub fn shared(&self) -> Arc<[f32]> {
        self.data.clone()
    }

    /// The depth in column `x`, row `y`, or `None` where it is not known.
    ///
    /// # Panics
    /// If the pixel lies outside the image.
    #[inline]
    pub fn at(&self, x: u32, y: u32) -> Option<f32> {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) of {}x{}", self.width, self.height);
        Some(self.data[y as usize * self.width as usize + x as usize]).filter(|&depth| depth > 0.0)
    }

    /// Unknown where the image is transparent: there, nothing is seen that it could be of.
    ///
    /// # Panics
    /// If the image has another size.
    #[must_use]
    pub(crate) fn of_what_is_seen(self, image: &Image8) -> Self {
        if !image.has_alpha() {
            return self;
        }
        assert_eq!((self.width, self.height), (image.width(), image.height()));
        let pixels = self.data.iter().zip(image.data().chunks_exact(4));
        let data: Vec<f32> = pixels.map(|(depth, p)| if p[3] == 0 { 0.0 } else { *depth }).collect();
        Self { data: data.into(), ..self }
    }

    /// The depths for an image of `width x height` pixels that is downscaled by `n`. A map of another resolution
    /// than the image (sensors have fewer pixels than cameras) is sampled at the centers of the downscaled pixels; one of
    /// the same resolution is averaged over the known depths of each block. A block that shows more than one surface
    /// becomes unknown: no depth between two surfaces would be right.
    ///
    /// # Errors
    /// If `n` is 0 or larger than a side.
    pub fn fit(&self, width: u32, height: u32, n: u32) -> Result<Self, ImageError> {
        let (w, h) = small(width, height, n)?;
        let same = (width, height) == (self.width, self.height);
        let column = |x: u32| nearest(x, n, width, self.width);
        let row = |y: u32| nearest(y, n, height, self.height);
        let mut data = Vec::with_capacity(w as usize * h as usize);
        for y in 0..h {
            data.extend((0..w).map(|x| match same {
                true => self.block(x * n, y * n, n),
                false => self.at(column(x), row(y)).unwrap_or(0.0),
            }));
        }
        Self::new(w, h, data)
    }

    /// The mean of the known depths in a block, or 0.
    fn block(&self, x0: u32, y0: u32, n: u32) -> f32 {
        let (mut sum, mut count) = (0f64, 0u32);
        let (mut near, mut far) = (f32::INFINITY, 0f32);
        for y in y0..y0 + n {
            for depth in (x0..x0 + n).filter_map(|x| self.at(x, y)) {
                (sum, count) = (sum + f64::from(depth), count + 1);
                (near, far) = (near.min(depth), far.max(depth));
            }
        }
        if count > 0 && far <= near * (1.0 + ONE_SURFACE) { (sum / f64::from(count)) as f32 } else { 0.0 }
    }

    /// Bytes while it is decoded and as it is kept, for an image of that size; the downscaled size for the latter.
    pub(crate) fn bytes(header: &ImageHeader) -> (u64, u64) {
        let pixels = u64::from(header.width) * u64::from(header.height);
        // An f32 array beside its f64 values, or the file beside them.
        (12 * pixels, 4 * pixels)
    }
}

/// The pixel of a side of `of` pixels that lies at the center of small pixel `i` of a side of `side / n`.
fn nearest(i: u32, n: u32, side: u32, of: u32) -> u32 {
    let at = (f64::from(i) + 0.5) * f64::from(n) / f64::from(side) * f64::from(of);
    (at as u32).min(of - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_png_and_npy_in_world_units() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.png");
        let grey = ::image::ImageBuffer::<::image::Luma<u16>, _>::from_raw(2, 1, vec![0, 1500]).unwrap();
        DynamicImage::from(grey).save(&path).unwrap();
        let depth = DepthMap::open(&path, 1e-3).unwrap();
        assert_eq!((depth.at(0, 0), depth.at(1, 0)), (None, Some(1.5)));

        let mut bytes = Vec::new();
        let values = [1.0, f32::NAN, -2.0, f32::INFINITY, 4.0, 0.0];
        npy::write_f32(&mut bytes, &[3, 2], values.into_iter()).unwrap();
        // By its content, not its name.
        std::fs::write(&path, &bytes).unwrap();
        let depth = DepthMap::open(&path, 0.5).unwrap();
        assert_eq!((depth.width(), depth.height()), (2, 3));
        assert_eq!(depth.data(), [0.5, 0.0, 0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn refuses_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let message = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let message = DepthMap::open(&path, 1.0).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
            message
        };
        let mut bytes = Vec::new();
        npy::write_f32(&mut bytes, &[2, 2, 2], (0..8).map(|v| v as f32)).unwrap();
        assert!(message("three.npy", &bytes).contains("[2, 2, 2]"));
        assert!(message("cut.npy", &bytes[..bytes.len() - 1]).contains("complete"));
        bytes.clear();
        npy::write_f32(&mut bytes, &[0, 2], std::iter::empty()).unwrap();
        message("empty.npy", &bytes);
        message("text.png", b"depth");
        assert!(message("text.npy", b"depth").contains("not a .npy file; save it with numpy.save"));
        assert!(message("none.NPY", b"").contains("not a .npy file"));
        let path = folder.path().join("color.png");
        ::image::RgbImage::new(1, 1).save(&path).unwrap();
        assert!(DepthMap::open(&path, 1.0).unwrap_err().to_string().contains("gray"));
    }

    #[test]
    fn blocks_average_one_surface_and_drop_edges() {
        let data = vec![1.0, 1.02, 1.0, 2.0, 0.0, 1.01, 1.0, 2.0];
        let half = DepthMap::new(4, 2, data).unwrap().fit(4, 2, 2).unwrap();
        assert_eq!((half.width(), half.height()), (2, 1));
        assert!((half.at(0, 0).unwrap() - 1.01).abs() < 1e-6);
        assert_eq!(half.at(1, 0), None, "an edge");
    }

    #[test]
    fn another_resolution_is_looked_up() {
        let depth = DepthMap::new(2, 1, vec![1.0, 3.0]).unwrap();
        assert_eq!(depth.fit(8, 4, 1).unwrap().data()[..8], [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]);
        assert_eq!(depth.fit(8, 4, 4).unwrap().data(), [1.0, 3.0]);
        assert!(depth.fit(8, 4, 5).is_err());
    }
}
