//! Eight-bit images with straight alpha, masks and depth maps: reading headers, decoding, downscaling.

mod border;
mod clear;
mod decode;
mod depth;
mod error;
mod jpeg;
mod kind;
mod mask;
mod whole;

use std::sync::Arc;

pub(crate) use border::{Surround, plain_color};
pub(crate) use clear::{Clear, linear};
pub(crate) use decode::Turn;
pub(crate) use decode::check_size;
pub(crate) use decode::kind as kind_of;
pub use decode::{ImageHeader, Orientation};
pub use depth::DepthMap;
pub use error::ImageError;
pub(crate) use kind::{EXTENSIONS, FileKind, has_extension};
pub use mask::Mask;
pub(crate) use whole::check_whole;

/// Longest side in pixels that is accepted.
pub(crate) const MAX_SIDE: u32 = 1 << 16;
/// Largest number of pixels that is accepted: 268 million, 1 GiB of RGBA.
pub(crate) const MAX_PIXELS: u64 = 1 << 28;

/// Whether two sizes differ by one factor, up to the pixel that rounding may have cost.
pub(crate) fn same_shape(from: (u32, u32), to: (u32, u32)) -> bool {
    let [w, h, width, height] = [from.0, from.1, to.0, to.1].map(f64::from);
    (width / w * h - height).abs() <= 1.0 || (height / h * w - width).abs() <= 1.0
}

/// An image of 8 bits a channel, RGB or RGBA with straight (not premultiplied) alpha, in the file's own transfer
/// function (sRGB). Cloning shares the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image8 {
    width: u32,
    height: u32,
    channels: u8,
    data: Arc<[u8]>,
}

impl Image8 {
    /// Wraps pixels: rows from the top, `channels` (3 or 4) bytes each.
    ///
    /// # Errors
    /// If a side is 0, there are neither 3 nor 4 channels, or the number of bytes does not fit.
    pub fn new(
        width: u32,
        height: u32,
        channels: u8,
        data: impl Into<Arc<[u8]>>,
    ) -> Result<Self, ImageError> {
        let data = data.into();
        let needed = u64::from(width) * u64::from(height) * u64::from(channels);
        if needed == 0 || !matches!(channels, 3 | 4) || data.len() as u64 != needed {
            return Err(ImageError::Size { width, height, channels, bytes: data.len() });
        }
        Ok(Self { width, height, channels, data })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes a pixel: 3 (RGB) or 4 (RGBA).
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Whether there is an alpha channel.
    pub fn has_alpha(&self) -> bool {
        self.channels == 4
    }

    /// All pixels, rows from the top.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The same, to be kept without a copy.
    pub fn shared(&self) -> Arc<[u8]> {
        self.data.clone()
    }

    /// The pixel in column `x`, row `y`, as RGBA; without an alpha channel it is opaque.
    ///
    /// # Panics
    /// If the pixel lies outside the image.
    #[inline]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 4] {
        let p = self.stored(x, y);
        [p[0], p[1], p[2], if self.channels == 4 { p[3] } else { 255 }]
    }

    /// A pixel as it is stored: its channels.
    ///
    /// # Panics
    /// If the pixel lies outside the image.
    #[inline]
    pub fn stored(&self, x: u32, y: u32) -> &[u8] {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) of {}x{}", self.width, self.height);
        let channels = self.channels as usize;
        let at = (y as usize * self.width as usize + x as usize) * channels;
        &self.data[at..at + channels]
    }

    /// Stored values as luma (BT.601), 0 to 1, transparent pixels on white.
    pub(crate) fn grey(&self) -> Vec<f32> {
        let luma = |p: &[u8]| {
            let y = 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
            let alpha = p.get(3).map_or(1.0, |&a| f32::from(a) / 255.0);
            (alpha * y + (1.0 - alpha) * 255.0) / 255.0
        };
        self.data.chunks_exact(usize::from(self.channels)).map(luma).collect()
    }

    /// Averages `n x n` blocks; the last `width % n` columns and `height % n` rows are cropped, so that
    /// [`Intrinsics::downscale`](crate::Intrinsics::downscale) fits exactly.
    ///
    /// Color is averaged weighted by alpha (premultiplied) and divided by it again, so that what is hidden
    /// under transparent pixels does not bleed into edges; fully transparent blocks become black. The average is
    /// taken over the stored (sRGB) values, as the usual benchmarks do.
    ///
    /// # Errors
    /// If `n` is 0 or larger than a side.
    pub fn downscale(&self, n: u32) -> Result<Self, ImageError> {
        if n == 0 || n > self.width.min(self.height) {
            return Err(ImageError::Downscale { width: self.width, height: self.height, by: n });
        }
        if n == 1 {
            return Ok(self.clone());
        }
        let (width, height) = (self.width / n, self.height / n);
        let mut data = Vec::with_capacity((width * height) as usize * self.channels as usize);
        for y in 0..height {
            for x in 0..width {
                let mean = self.block_mean(x * n, y * n, n);
                data.extend_from_slice(&mean[..self.channels as usize]);
            }
        }
        Self::new(width, height, self.channels, data)
    }

    /// The alpha-weighted mean of the block whose first pixel is `(x0, y0)`.
    fn block_mean(&self, x0: u32, y0: u32, n: u32) -> [u8; 4] {
        let channels = self.channels as usize;
        let mut color = [0u64; 3];
        let mut alpha = 0u64;
        for y in y0..y0 + n {
            let start = (y as usize * self.width as usize + x0 as usize) * channels;
            for p in self.data[start..start + n as usize * channels].chunks_exact(channels) {
                let a = p.get(3).map_or(255, |&a| u64::from(a));
                alpha += a;
                for (sum, &c) in color.iter_mut().zip(p) {
                    *sum += u64::from(c) * a;
                }
            }
        }
        let rounded = |sum: u64, by: u64| ((sum + by / 2) / by) as u8;
        if alpha == 0 {
            return [0; 4];
        }
        let [r, g, b] = color.map(|sum| rounded(sum, alpha));
        [r, g, b, rounded(alpha, u64::from(n) * u64::from(n))]
    }
}

#[cfg(test)]
mod bytes_tests;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn new_checks_the_size() {
        assert!(Image8::new(2, 1, 3, vec![0; 6]).is_ok());
        for (width, height, channels, bytes) in [(2, 1, 3, 5), (0, 1, 3, 0), (2, 1, 2, 4)] {
            assert!(Image8::new(width, height, channels, vec![0; bytes]).is_err());
        }
    }

    #[test]
    fn downscale_averages_premultiplied_and_crops() {
        let row0 = [255, 0, 0, 255, 0, 255, 0, 0, 9, 9, 9, 9];
        let row1 = [255, 0, 0, 255, 0, 0, 255, 255, 9, 9, 9, 9];
        let image = Image8::new(3, 2, 4, [row0, row1].concat()).unwrap();
        let half = image.downscale(2).unwrap();
        assert_eq!((half.width(), half.height()), (1, 1));
        // The transparent green does not count: two reds and a blue, three quarters covered.
        assert_eq!(half.pixel(0, 0), [170, 0, 85, 191]);

        let clear = Image8::new(2, 2, 4, [[90u8, 90, 90, 0]; 4].concat()).unwrap();
        assert_eq!(clear.downscale(2).unwrap().pixel(0, 0), [0; 4]);
        assert!(image.downscale(0).is_err() && image.downscale(3).is_err());
    }

    proptest! {
        #[test]
        fn downscale_is_the_rounded_mean(n in 1..5u32, w in 1..4u32, h in 1..4u32, seed in any::<u64>()) {
            let (width, height) = (w * n + seed as u32 % n, h * n);
            let mut state = seed;
            let data: Vec<u8> = (0..width * height * 3).map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            }).collect();
            let image = Image8::new(width, height, 3, data).unwrap();
            let small = image.downscale(n).unwrap();
            prop_assert_eq!((small.width(), small.height(), small.channels()), (w, h, 3));
            for c in 0..3 {
                let block = (0..n * n).map(|i| f64::from(image.pixel(i % n, i / n)[c]));
                let mean = block.sum::<f64>() / f64::from(n * n);
                prop_assert!((f64::from(small.pixel(0, 0)[c]) - mean).abs() <= 0.5 + 1e-9);
            }
        }
    }
}
