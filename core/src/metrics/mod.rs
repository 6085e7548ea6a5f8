//! Image quality: PSNR, SSIM and LPIPS of 8-bit images, interleaved channels, row by row. Label maps have their own
//! in [`segmentation`].
//!
//! The protocol (also of the numbers in papers): predictions are rounded to 8 bit ([`quantize`]) before they
//! are compared, a set's figure is the mean over its views of the per-view figure.
pub mod dense;
pub mod lpips;
mod psnr;
pub mod segmentation;
mod ssim;

pub use psnr::{psnr_from_mse, psnr_u8, psnr_where};
pub(crate) use ssim::SSIM_WINDOW;
pub use ssim::{ssim_u8, ssim_where};

/// Two images that cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The images differ in size, or a buffer is not `width * height * channels` long.
    #[error("{metric}: got {a} and {b} values, expected {expected} in both")]
    Length {
        /// The metric.
        metric: &'static str,
        /// Values in the first image.
        a: usize,
        /// Values in the second image.
        b: usize,
        /// Values there should be.
        expected: usize,
    },
    /// The images have no pixels.
    #[error("{0}: the images are empty")]
    Empty(&'static str),
    /// The images are smaller than the SSIM window.
    #[error(
        "SSIM: an image of {width}x{height} pixels is smaller than the {SSIM_WINDOW}x{SSIM_WINDOW} window; \
         use larger views (a smaller --downscale)"
    )]
    TooSmall {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

/// Rounds values in `[0, 1]` to 8 bit; what lies outside is clamped, NaN becomes 0.
#[must_use]
pub fn quantize(image: &[f32]) -> Vec<u8> {
    image.iter().map(|&v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantize_rounds_and_clamps() {
        let values = [0.0, 1.0, 0.5, 0.499 / 255.0, 0.501 / 255.0, -1.0, 2.0, f32::NAN, f32::INFINITY];
        assert_eq!(quantize(&values), [0, 255, 128, 0, 1, 0, 255, 0, 255]);
    }

    #[test]
    fn quantize_inverts_division_by_255() {
        let all: Vec<u8> = (0..=255).collect();
        let floats: Vec<f32> = all.iter().map(|&v| f32::from(v) / 255.0).collect();
        assert_eq!(quantize(&floats), all);
    }
}
