//! The distance of two maps of features: squared differences of normalized pixels, weighted by channel.
use rayon::prelude::*;

use super::convolution::Map;

/// What keeps features that are all zero from being divided by zero.
const EPS: f32 = 1e-10;
/// Sums that run side by side, so that they can be vectorized; all channel counts are multiples of it.
const LANES: usize = 16;

/// The mean over pixels of the weighted squared difference of unit features.
pub(super) fn mean(a: &Map, b: &Map, head: &[f32]) -> f64 {
    // Summed in order of the rows, whoever has computed them.
    let rows: Vec<f64> = (0..a.height).into_par_iter().map(|y| row(a.row(y), b.row(y), head)).collect();
    rows.iter().sum::<f64>() / (a.width * a.height) as f64
}

fn row(a: &[f32], b: &[f32], head: &[f32]) -> f64 {
    let pixels = a.chunks_exact(head.len()).zip(b.chunks_exact(head.len()));
    pixels.map(|(a, b)| pixel(a, b, head)).sum()
}

fn pixel(a: &[f32], b: &[f32], head: &[f32]) -> f64 {
    let (per_a, per_b) = (1.0 / (length(a) + EPS), 1.0 / (length(b) + EPS));
    let mut sums = [0.0f32; LANES];
    let channels = a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0);
    for ((a, b), w) in channels.zip(head.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            let d = a[i] * per_a - b[i] * per_b;
            sums[i] += w[i] * d * d;
        }
    }
    sums.iter().map(|&s| f64::from(s)).sum()
}

fn length(values: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for values in values.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            sums[i] += values[i] * values[i];
        }
    }
    sums.iter().map(|&s| f64::from(s)).sum::<f64>().sqrt() as f32
}
