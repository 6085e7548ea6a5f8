//! Peak signal-to-noise ratio of 8-bit images.
use super::MetricError;

/// PSNR in dB of two 8-bit images, `10 log10(255^2 / MSE)` with the mean over all pixels and channels.
///
/// Identical images give `f64::INFINITY`: a mean over views must expect it.
///
/// # Errors
/// [`MetricError::Length`] when the buffers differ in length, [`MetricError::Empty`] when they are empty.
pub fn psnr_u8(a: &[u8], b: &[u8]) -> Result<f64, MetricError> {
    if a.len() != b.len() {
        return Err(MetricError::Length { metric: "PSNR", a: a.len(), b: b.len(), expected: a.len() });
    }
    if a.is_empty() {
        return Err(MetricError::Empty("PSNR"));
    }
    // Integers, so the sum is exact and independent of its order.
    let squares: u64 = a.iter().zip(b).map(|(&x, &y)| u64::from(x.abs_diff(y)).pow(2)).sum();
    Ok(psnr_from_mse(squares as f64 / a.len() as f64 / (255.0 * 255.0)))
}

/// PSNR of the pixels that `keep` says count (all without it), of images with so many interleaved `channels`.
///
/// # Errors
/// Those of [`psnr_u8`]; [`MetricError::Length`] also where `keep` has not a value a pixel, [`MetricError::Empty`] also
/// where no pixel counts.
pub fn psnr_where(a: &[u8], b: &[u8], keep: Option<&[bool]>, channels: usize) -> Result<f64, MetricError> {
    let Some(keep) = keep else { return psnr_u8(a, b) };
    let expected = keep.len() * channels;
    if a.len() != expected || b.len() != expected {
        return Err(MetricError::Length { metric: "PSNR", a: a.len(), b: b.len(), expected });
    }
    let only = |image: &[u8]| -> Vec<u8> {
        let pixels = image.chunks_exact(channels.max(1)).zip(keep).filter(|(_, keep)| **keep);
        pixels.flat_map(|(pixel, _)| pixel).copied().collect()
    };
    psnr_u8(&only(a), &only(b))
}

/// PSNR in dB of a mean squared error of values in `[0, 1]`, `-10 log10(mse)`; 0 gives `f64::INFINITY`.
#[must_use]
pub fn psnr_from_mse(mse: f64) -> f64 {
    // Not `-10 * log10`: an error of 1 is 0 dB, and should not print as -0.
    10.0 * (1.0 / mse).log10()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(psnr_u8(&[0, 0, 0], &[255, 255, 255]), Ok(0.0));
        assert_eq!(psnr_u8(&[7, 8], &[7, 8]), Ok(f64::INFINITY));
        assert_eq!(psnr_from_mse(0.0), f64::INFINITY);
        assert!((psnr_from_mse(1e-3) - 30.0).abs() < 1e-12);
        // MSE 4.5 in 8-bit units.
        let expected = 20.0 * 255.0_f64.log10() - 10.0 * 4.5_f64.log10();
        assert!((psnr_u8(&[10, 20], &[13, 20]).unwrap() - expected).abs() < 1e-12);
        assert_eq!(psnr_u8(&[10, 20], &[13, 20]), psnr_u8(&[13, 20], &[10, 20]));
    }

    #[test]
    fn masked_pixels_count_for_nothing() {
        let (a, b) = ([10, 20, 0, 0, 7, 7], [13, 20, 255, 255, 7, 9]);
        let kept = psnr_u8(&[10, 20, 7, 7], &[13, 20, 7, 9]);
        assert_eq!(psnr_where(&a, &b, Some(&[true, false, true]), 2), kept);
        assert_eq!(psnr_where(&a, &b, None, 2), psnr_u8(&a, &b));
        assert!(matches!(
            psnr_where(&a, &b, Some(&[true; 2]), 2),
            Err(MetricError::Length { expected: 4, .. })
        ));
        assert_eq!(psnr_where(&a, &b, Some(&[false; 3]), 2), Err(MetricError::Empty("PSNR")));
    }

    #[test]
    fn images_that_cannot_be_compared() {
        assert!(matches!(psnr_u8(&[0], &[0, 1]), Err(MetricError::Length { a: 1, b: 2, .. })));
        assert_eq!(psnr_u8(&[], &[]), Err(MetricError::Empty("PSNR")));
    }
}
