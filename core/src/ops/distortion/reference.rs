//! The specification, in f64: double sums.

/// The distortion.
pub fn distortion(w: &[f64], s: &[f64], ds: &[f64]) -> f64 {
    let pairs: f64 =
        (0..w.len()).map(|i| (0..w.len()).map(|j| w[i] * w[j] * (s[i] - s[j]).abs()).sum::<f64>()).sum();
    pairs + w.iter().zip(ds).map(|(w, ds)| w * w * ds).sum::<f64>() / 3.0
}

/// Its gradient.
pub fn distortion_gradient(w: &[f64], s: &[f64], ds: &[f64]) -> Vec<f64> {
    let at = |i: usize| (0..w.len()).map(|j| 2.0 * w[j] * (s[i] - s[j]).abs()).sum::<f64>();
    (0..w.len()).map(|i| at(i) + 2.0 / 3.0 * w[i] * ds[i]).collect()
}

/// The deviation from `place`; its gradient is the distance of each sample.
pub fn deviation(w: &[f64], s: &[f64], place: f64) -> f64 {
    w.iter().zip(s).map(|(w, s)| w * (s - place).abs()).sum()
}
