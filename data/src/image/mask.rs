//! Masks: which pixels of an image are used.

use std::path::Path;
use std::sync::Arc;

use super::decode;
use super::{FileKind, ImageError, ImageHeader, same_shape};

/// Values of a lossy mask below this are black that the compression disturbed.
const LOSSY_BLACK: u8 = 128;

/// Which pixels of an image are to be learned and measured (Nerfstudio's `mask_path`): zero in the file means that
/// the pixel is neither. Cloning shares the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    data: Arc<[bool]>,
}

impl Mask {
    /// Wraps one value a pixel, rows from the top; `true` counts.
    ///
    /// # Errors
    /// If a side is 0 or the number of values does not fit.
    pub fn new(width: u32, height: u32, data: impl Into<Arc<[bool]>>) -> Result<Self, ImageError> {
        let data = data.into();
        if data.is_empty() || data.len() as u64 != u64::from(width) * u64::from(height) {
            return Err(ImageError::Size { width, height, channels: 1, bytes: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// Reads a mask: a pixel counts unless all its color channels are zero (in a JPEG: below half, since its black
    /// is not exactly zero). An alpha channel has no say unless the colors say the same of all pixels and it does not:
    /// then it is the mask, and zero is out.
    ///
    /// # Errors
    /// As [`Image8::open`](super::Image8::open).
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let (_, image) = decode::dynamic(path)?;
        let (width, height) = (image.width(), image.height());
        let least = if decode::kind(path)? == FileKind::Jpeg { LOSSY_BLACK } else { 1 };
        let color = image.color();
        let bytes = usize::from(color.bytes_per_pixel());
        let alpha = if color.has_alpha() { bytes / usize::from(color.channel_count()) } else { 0 };
        let counts = |pixel: &[u8]| pixel[..bytes - alpha].iter().any(|&byte| byte >= least);
        let pixels = || image.as_bytes().chunks_exact(bytes);
        let mut data: Vec<bool> = pixels().map(counts).collect();
        if alpha > 0 && data.windows(2).all(|pair| pair[0] == pair[1]) {
            let opaque = |pixel: &[u8]| pixel[bytes - alpha..].iter().any(|&byte| byte != 0);
            let by_alpha: Vec<bool> = pixels().map(opaque).collect();
            if by_alpha.contains(&true) && by_alpha.contains(&false) {
                data = by_alpha;
            }
        }
        Self::new(width, height, data)
    }

    /// Reads the mask of an image whose size is known; a mask of another resolution is resized, by the nearest pixel.
    ///
    /// # Errors
    /// As [`Self::open`], and if its sides are in another proportion.
    pub(crate) fn open_for(path: &Path, image: &Path, size: (u32, u32)) -> Result<Self, ImageError> {
        let mask = Self::open(path)?;
        let found = (mask.width, mask.height);
        if !same_shape(size, found) {
            let (path, image) = (path.to_owned(), image.to_owned());
            return Err(ImageError::MaskSize { path, found, image, size });
        }
        Ok(if found == size { mask } else { mask.resized(size) })
    }

    /// Of another size: each pixel is that of the nearest one.
    fn resized(&self, (width, height): (u32, u32)) -> Self {
        // The middle of pixel `i` of `to` among `from` pixels.
        let nearest = |i: u32, from: u32, to: u32| {
            ((2 * u64::from(i) + 1) * u64::from(from) / (2 * u64::from(to))) as u32
        };
        let row = |y: u32| {
            (0..width).map(move |x| (nearest(x, self.width, width), nearest(y, self.height, height)))
        };
        let data: Vec<bool> = (0..height).flat_map(row).map(|(x, y)| self.counts(x, y)).collect();
        Self { width, height, data: data.into() }
    }

    /// What counts is left out, and the other way round.
    #[must_use]
    pub(crate) fn inverted(&self) -> Self {
        Self { data: self.data.iter().map(|counts| !counts).collect(), ..*self }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, rows from the top; `true` counts.
    pub fn data(&self) -> &[bool] {
        &self.data
    }

    /// Whether the pixel in column `x`, row `y` counts.
    ///
    /// # Panics
    /// If the pixel lies outside the image.
    #[inline]
    pub fn counts(&self, x: u32, y: u32) -> bool {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) of {}x{}", self.width, self.height);
        self.data[y as usize * self.width as usize + x as usize]
    }

    /// The mask of an image downscaled by `n`: a small pixel counts only if all of its pixels do.
    ///
    /// # Errors
    /// If `n` is 0 or larger than a side.
    pub fn downscale(&self, n: u32) -> Result<Self, ImageError> {
        let (width, height) = small(self.width, self.height, n)?;
        let all =
            |x: u32, y: u32| (y * n..(y + 1) * n).all(|y| (x * n..(x + 1) * n).all(|x| self.counts(x, y)));
        let data: Vec<bool> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| all(x, y)).collect();
        Self::new(width, height, data)
    }

    /// Bytes while it is decoded and as it is kept, for an image of that size.
    pub(crate) fn bytes(header: &ImageHeader) -> (u64, u64) {
        let pixels = u64::from(header.width) * u64::from(header.height);
        // 8-bit RGB beside the mask.
        (4 * pixels, pixels)
    }
}

/// The size of an image divided by `n`.
pub(super) fn small(width: u32, height: u32, n: u32) -> Result<(u32, u32), ImageError> {
    if n == 0 || n > width.min(height) {
        return Err(ImageError::Downscale { width, height, by: n });
    }
    Ok((width / n, height / n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ::image::DynamicImage;

    use super::*;

    #[test]
    fn zero_is_out_whatever_the_kind_of_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.png");
        let read = |image: DynamicImage| {
            image.save(&path).unwrap();
            Mask::open(&path).unwrap().data().to_vec()
        };
        let grey = ::image::GrayImage::from_raw(3, 1, vec![0, 1, 255]).unwrap();
        assert_eq!(read(grey.into()), [false, true, true]);
        let rgba = ::image::RgbaImage::from_raw(2, 1, vec![0, 0, 0, 255, 0, 0, 9, 0]).unwrap();
        assert_eq!(read(rgba.into()), [false, true], "alpha has no say");
        let deep = ::image::ImageBuffer::<::image::Luma<u16>, _>::from_raw(2, 1, vec![0, 256]).unwrap();
        assert_eq!(read(deep.into()), [false, true]);

        let jpeg = folder.path().join("m.jpg");
        let edge = ::image::GrayImage::from_fn(16, 8, |x, _| ::image::Luma([if x < 7 { 0 } else { 255 }]));
        edge.save(&jpeg).unwrap();
        let mask = Mask::open(&jpeg).unwrap();
        assert!((0..16).all(|x| mask.counts(x, 3) == (x >= 7)), "{:?}", mask.data());
        assert!(Mask::open(&folder.path().join("none.png")).unwrap_err().to_string().contains("none.png"));
    }

    #[test]
    fn alpha_is_the_mask_if_the_colors_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.png");
        let read = |pixels: Vec<u8>| {
            ::image::RgbaImage::from_raw(2, 1, pixels).unwrap().save(&path).unwrap();
            Mask::open(&path).unwrap().data().to_vec()
        };
        assert_eq!(read(vec![255, 255, 255, 0, 255, 255, 255, 255]), [false, true]);
        assert_eq!(read(vec![0, 0, 0, 0, 0, 0, 0, 200]), [false, true]);
        assert_eq!(read(vec![255, 255, 255, 0, 255, 255, 255, 0]), [true, true], "neither says anything");
        assert_eq!(read(vec![0, 0, 0, 255, 9, 0, 0, 255]), [false, true]);
    }

    #[test]
    fn another_resolution_is_resized_and_another_shape_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.png");
        ::image::GrayImage::from_raw(2, 2, vec![0, 255, 255, 255]).unwrap().save(&path).unwrap();
        let large = Mask::open_for(&path, &path, (4, 4)).unwrap();
        assert!((0..16).all(|i| large.counts(i % 4, i / 4) == (i % 4 > 1 || i / 4 > 1)), "{large:?}");
        let small = Mask::open_for(&path, &path, (1, 1)).unwrap();
        assert_eq!((small.width(), small.inverted().data()), (1, &[false][..]));
        assert!(matches!(Mask::open_for(&path, &path, (4, 9)), Err(ImageError::MaskSize { .. })));
    }

    #[test]
    fn a_small_pixel_needs_all_of_its_pixels() {
        let data = [true, true, true, false, true, true, true, true, true, true, true, true];
        let mask = Mask::new(4, 3, data).unwrap();
        assert_eq!(mask.downscale(2).unwrap(), Mask::new(2, 1, [true, false]).unwrap());
        assert!(mask.downscale(0).is_err() && mask.downscale(4).is_err());
        assert!(Mask::new(2, 2, [true; 3]).is_err() && Mask::new(0, 2, []).is_err());
    }
}
