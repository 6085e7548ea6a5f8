//! Transparency that is not in an image's alpha channel: colors that stand for nothing (Instant-NGP's
//! `white_transparent` and `black_transparent`), and alpha in a file of its own.

use std::path::Path;

use super::{Image8, ImageError, Mask};

/// Which pure colors are transparent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clear {
    /// (255, 255, 255).
    pub white: bool,
    /// (0, 0, 0).
    pub black: bool,
}

impl Image8 {
    /// With alpha 0 where a pixel has one of the colors; unchanged if there are none.
    #[must_use]
    pub(crate) fn cleared(self, clear: Clear) -> Self {
        if clear == Clear::default() {
            return self;
        }
        let channels = usize::from(self.channels);
        let pixel = |p: &[u8]| {
            let nothing = clear.white && p[..3] == [255; 3] || clear.black && p[..3] == [0; 3];
            let alpha = if nothing { 0 } else { p.get(3).copied().unwrap_or(255) };
            [p[0], p[1], p[2], alpha]
        };
        let data: Vec<u8> = self.data.chunks_exact(channels).flat_map(pixel).collect();
        Self { channels: 4, data: data.into(), ..self }
    }
}

impl Image8 {
    /// With alpha 0 where a mask of the same size takes pixels out.
    ///
    /// # Panics
    /// If the mask is smaller.
    #[must_use]
    pub(crate) fn emptied(self, mask: &Mask) -> Self {
        let pixels = self.data.chunks_exact(usize::from(self.channels)).zip(mask.data());
        assert_eq!(pixels.len() as u64, u64::from(self.width) * u64::from(self.height));
        let pixel = |(p, counts): (&[u8], &bool)| {
            [p[0], p[1], p[2], if *counts { p.get(3).copied().unwrap_or(255) } else { 0 }]
        };
        let data: Vec<u8> = pixels.flat_map(pixel).collect();
        Self { channels: 4, data: data.into(), ..self }
    }

    /// Whether nothing can be seen through it: there is no alpha channel, or it says so.
    pub fn is_opaque(&self) -> bool {
        !self.has_alpha() || self.data.chunks_exact(4).all(|p| p[3] == 255)
    }

    /// With the alpha of another picture: its red, from sRGB to linear, as Instant-NGP reads it. `image` is where this one
    /// is from.
    ///
    /// # Errors
    /// As [`Image8::open`], and if the sizes differ.
    pub(crate) fn with_alpha(self, path: &Path, image: &Path) -> Result<Self, ImageError> {
        let alpha = Self::open(path)?;
        let (found, size) = ((alpha.width, alpha.height), (self.width, self.height));
        if found != size {
            return Err(ImageError::AlphaSize {
                path: path.to_owned(),
                found,
                image: image.to_owned(),
                size,
            });
        }
        let linear: [u8; 256] = std::array::from_fn(|value| (255.0 * linear(value as u8)) as u8);
        let (own, other) = (usize::from(self.channels), usize::from(alpha.channels));
        let pixels = self.data.chunks_exact(own).zip(alpha.data.chunks_exact(other));
        let data: Vec<u8> = pixels.flat_map(|(p, a)| [p[0], p[1], p[2], linear[usize::from(a[0])]]).collect();
        Ok(Self { channels: 4, data: data.into(), ..self })
    }
}

/// A value of sRGB as linear light, 0 to 1.
pub(crate) fn linear(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn alpha_from_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png.alpha.png");
        ::image::GrayImage::from_raw(3, 1, vec![0, 128, 255]).unwrap().save(&path).unwrap();
        let image = Image8::new(3, 1, 3, [9; 9]).unwrap().with_alpha(&path, &path).unwrap();
        assert_eq!([0, 1, 2].map(|x| image.pixel(x, 0)[3]), [0, 55, 255], "half of sRGB is 0.216");
        let error = Image8::new(1, 1, 3, [9; 3]).unwrap().with_alpha(&path, &path).unwrap_err().to_string();
        assert!(error.contains("3x1") && error.contains("1x1"), "{error}");
    }

    #[test]
    fn what_a_mask_takes_out_is_transparent() {
        let mask = Mask::new(3, 1, [true, false, true]).unwrap();
        let image = Image8::new(3, 1, 3, [9; 9]).unwrap();
        assert!(image.is_opaque());
        let image = image.emptied(&mask);
        assert_eq!([0, 1, 2].map(|x| image.pixel(x, 0)), [[9, 9, 9, 255], [9, 9, 9, 0], [9, 9, 9, 255]]);
        assert!(!image.is_opaque());
        let image = Image8::new(3, 1, 4, [9, 9, 9, 255, 9, 9, 9, 255, 9, 9, 9, 40]).unwrap();
        let image = image.emptied(&mask);
        assert_eq!([0, 1, 2].map(|x| image.pixel(x, 0)[3]), [255, 0, 40], "its own alpha stays");
        assert!(Image8::new(1, 1, 4, [9, 9, 9, 255]).unwrap().is_opaque());
    }

    #[test]
    fn only_the_pure_color_is_cleared() {
        let data = [255, 255, 255, 254, 255, 255, 0, 0, 0, 7, 8, 9];
        let alpha = |white, black| {
            let image = Image8::new(2, 2, 3, data).unwrap().cleared(Clear { white, black });
            let pixels = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| image.pixel(x, y)[3]);
            (image.channels(), pixels)
        };
        assert_eq!(alpha(false, false), (3, [255; 4]));
        assert_eq!(alpha(true, false), (4, [0, 255, 255, 255]));
        assert_eq!(alpha(false, true), (4, [255, 255, 0, 255]));
        let image = Image8::new(1, 1, 4, [9, 9, 9, 40]).unwrap();
        assert_eq!(image.clone().cleared(Clear { white: true, black: true }), image);
    }
}
