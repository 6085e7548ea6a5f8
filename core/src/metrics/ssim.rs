//! Structural similarity (Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility
//! to structural similarity", IEEE TIP 2004).
use rayon::prelude::*;

use super::MetricError;

/// Taps of the Gaussian window along each axis, and so the smallest image side that SSIM accepts.
pub const SSIM_WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Mean SSIM of two 8-bit images of `height x width x channels` values, in `[-1, 1]`.
///
/// An 11-tap Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, over the pixels whose window lies
/// inside the image, averaged over pixels and channels: what scikit-image's `structural_similarity` gives with
/// `gaussian_weights=True, use_sample_covariance=False, data_range=255`.
///
/// # Errors
/// [`MetricError::Length`] when a buffer does not fit the size, [`MetricError::Empty`] for no channels,
/// [`MetricError::TooSmall`] for images smaller than the window.
pub fn ssim_u8(a: &[u8], b: &[u8], width: usize, height: usize, channels: usize) -> Result<f64, MetricError> {
    ssim_where(a, b, None, [width, height, channels])
}

/// Mean SSIM over the windows around pixels that `keep` says count (all without it), of images of
/// `[width, height, channels]`. In them, `b` is taken to be `a` where `keep` says it does not count.
///
/// # Errors
/// Those of [`ssim_u8`]; [`MetricError::Length`] also where `keep` has not a value a pixel, [`MetricError::Empty`] also
/// where no window counts.
pub fn ssim_where(
    a: &[u8],
    b: &[u8],
    keep: Option<&[bool]>,
    [width, height, channels]: [usize; 3],
) -> Result<f64, MetricError> {
    let expected = width.saturating_mul(height).saturating_mul(channels);
    if a.len() != expected || b.len() != expected {
        return Err(MetricError::Length { metric: "SSIM", a: a.len(), b: b.len(), expected });
    }
    if channels == 0 {
        return Err(MetricError::Empty("SSIM"));
    }
    if width < SSIM_WINDOW || height < SSIM_WINDOW {
        return Err(MetricError::TooSmall { width, height });
    }
    let pixels = width * height;
    if keep.is_some_and(|keep| keep.len() != pixels) {
        return Err(MetricError::Length { metric: "SSIM", a: a.len(), b: b.len(), expected });
    }
    let counts = |pixel: usize| keep.is_none_or(|keep| keep[pixel]);
    let patched: Option<Vec<u8>> =
        keep.map(|_| (0..b.len()).map(|i| if counts(i / channels) { b[i] } else { a[i] }).collect());
    let b = patched.as_deref().unwrap_or(b);
    let window = gaussian();
    let row_len = width * channels;
    let filtered: Vec<Vec<Moments>> = a
        .par_chunks_exact(row_len)
        .zip(b.par_chunks_exact(row_len))
        .map(|(a, b)| filter_row(a, b, channels, &window))
        .collect();
    // Sums by row, then over the rows in order: the result does not depend on the number of threads.
    let rows: Vec<(f64, usize)> = filtered
        .par_windows(SSIM_WINDOW)
        .enumerate()
        .map(|(y, rows)| {
            let middle = (y + SSIM_WINDOW / 2) * width + SSIM_WINDOW / 2;
            let columns = (0..rows[0].len()).filter(|i| counts(middle + i / channels));
            columns.fold((0.0, 0), |(sum, n), i| (sum + similarity(&filter_column(rows, i, &window)), n + 1))
        })
        .collect();
    match rows.iter().map(|(_, n)| n).sum::<usize>() {
        0 => Err(MetricError::Empty("SSIM")),
        n => Ok(rows.iter().map(|(sum, _)| sum).sum::<f64>() / n as f64),
    }
}

/// Weighted means of a, b, a^2, b^2 and ab under one window.
type Moments = [f64; 5];

fn gaussian() -> [f64; SSIM_WINDOW] {
    let centre = (SSIM_WINDOW / 2) as f64;
    let taps: [f64; SSIM_WINDOW] = std::array::from_fn(|i| {
        let x = (i as f64 - centre) / SIGMA;
        (-0.5 * x * x).exp()
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

/// Filters one row of interleaved pixels; `width - 10` pixels remain.
fn filter_row(a: &[u8], b: &[u8], channels: usize, window: &[f64; SSIM_WINDOW]) -> Vec<Moments> {
    let valid = a.len() - (SSIM_WINDOW - 1) * channels;
    (0..valid)
        .map(|start| {
            let mut sum = Moments::default();
            for (tap, weight) in window.iter().enumerate() {
                let (x, y) = (f64::from(a[start + tap * channels]), f64::from(b[start + tap * channels]));
                for (s, v) in sum.iter_mut().zip([x, y, x * x, y * y, x * y]) {
                    *s += weight * v;
                }
            }
            sum
        })
        .collect()
}

fn filter_column(rows: &[Vec<Moments>], i: usize, window: &[f64; SSIM_WINDOW]) -> Moments {
    let mut sum = Moments::default();
    for (row, weight) in rows.iter().zip(window) {
        for (s, v) in sum.iter_mut().zip(row[i]) {
            *s += weight * v;
        }
    }
    sum
}

/// SSIM under one window (eq. 13 of the paper).
fn similarity(&[mean_a, mean_b, aa, bb, ab]: &Moments) -> f64 {
    let (var_a, var_b, cov) = (aa - mean_a * mean_a, bb - mean_b * mean_b, ab - mean_a * mean_b);
    (2.0 * mean_a * mean_b + C1) * (2.0 * cov + C2)
        / ((mean_a * mean_a + mean_b * mean_b + C1) * (var_a + var_b + C2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        width: usize,
        height: usize,
        channels: usize,
        a: Vec<u8>,
        b: Vec<u8>,
        ssim: f64,
    }

    /// The values come from scikit-image, by `tests/fixtures/ssim.py`.
    #[test]
    fn agrees_with_scikit_image() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/ssim.json")).unwrap();
        assert!(cases.len() >= 4);
        for c in cases {
            let ssim = ssim_u8(&c.a, &c.b, c.width, c.height, c.channels).unwrap();
            assert!((ssim - c.ssim).abs() < 1e-9, "{}: {ssim} against {}", c.name, c.ssim);
        }
    }

    #[test]
    fn identical_images_are_fully_similar() {
        let image: Vec<u8> = (0..20 * 15 * 3).map(|i| (i * 37 % 251) as u8).collect();
        assert!((ssim_u8(&image, &image, 20, 15, 3).unwrap() - 1.0).abs() < 1e-12);
    }

    /// What a mask takes out changes nothing, and the mean is over the windows around the rest.
    #[test]
    fn masked_pixels_count_for_nothing() {
        let a: Vec<u8> = (0..30 * 20).map(|i| (i * 37 % 251) as u8).collect();
        let mut b: Vec<u8> =
            a.iter().enumerate().map(|(i, v)| if i % 30 < 15 { v / 2 } else { *v }).collect();
        let whole = ssim_u8(&a, &b, 30, 20, 1).unwrap();
        let keep: Vec<bool> = (0..600).map(|i| i % 30 >= 15).collect();
        let right = ssim_where(&a, &b, Some(&keep), [30, 20, 1]).unwrap();
        assert!((right - 1.0).abs() < 1e-12 && whole < 0.9, "{right} {whole}");
        b.iter_mut().zip(&keep).filter(|(_, keep)| !**keep).for_each(|(b, _)| *b = 9);
        assert_eq!(ssim_where(&a, &b, Some(&keep), [30, 20, 1]).unwrap(), right);
        assert_eq!(ssim_where(&a, &a, Some(&[false; 600]), [30, 20, 1]), Err(MetricError::Empty("SSIM")));
        assert!(ssim_where(&a, &a, Some(&[true; 599]), [30, 20, 1]).is_err());
    }

    #[test]
    fn images_that_cannot_be_compared() {
        let image = vec![0; 11 * 10];
        assert_eq!(ssim_u8(&image, &image, 11, 10, 1), Err(MetricError::TooSmall { width: 11, height: 10 }));
        assert!(matches!(ssim_u8(&image, &image, 11, 11, 1), Err(MetricError::Length { expected: 121, .. })));
        assert!(matches!(
            ssim_u8(&image, &image, usize::MAX, usize::MAX, 2),
            Err(MetricError::Length { .. })
        ));
        assert_eq!(ssim_u8(&[], &[], 11, 11, 0), Err(MetricError::Empty("SSIM")));
    }
}
