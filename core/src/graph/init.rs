//! Initial values of variables.
use rayon::prelude::*;

use crate::ops::eugen::{self, Projections};
use crate::rng::{Rng, Stream};

/// The distribution of a new variable's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Constant(f32),
    /// Normal with this standard deviation, truncated at two of them (as vision transformers begin).
    Normal(f32),
    /// Uniform within `1 / sqrt(fan in)`: PyTorch's default of linear and convolution layers.
    FanIn,
    /// Normal with the standard deviation `sqrt(2 / fan out)`: convolutions before a ReLU (He et al. 2015).
    FanOut,
    /// Random projections `(projections, columns, features)`.
    Projections(Projections),
}

impl Init {
    /// Values of a variable. Fans are those of a weight in PyTorch's order: outputs, inputs, then the kernel.
    ///
    /// They depend on the seed, the key and the index alone: adding a layer does not change the others.
    pub(super) fn values(self, seed: u64, key: &str, shape: &[usize]) -> Vec<f32> {
        let n: usize = shape.iter().product();
        let kernel: usize = shape.iter().skip(2).product();
        let fan = |side: usize| (shape.get(side).copied().unwrap_or(1) * kernel).max(1) as f32;
        let rng = Rng::new(seed);
        let place = fnv1a(key);
        let draw = |i: usize| rng.uniform4(Stream::Init, place, i as u32);
        match self {
            Self::Constant(value) => vec![value; n],
            Self::Projections(start) => match shape {
                [projections, columns, m] => eugen::draw(&start, [*projections, *columns, *m], seed, place),
                _ => vec![0.0; n],
            },
            Self::Normal(deviation) => {
                (0..n).into_par_iter().map(|i| deviation * truncated_normal(draw(i))).collect()
            }
            Self::FanOut => {
                let deviation = (2.0 / fan(0)).sqrt();
                (0..n).into_par_iter().map(|i| deviation * truncated_normal(draw(i))).collect()
            }
            Self::FanIn => {
                let bound = 1.0 / fan(1).sqrt();
                (0..n).into_par_iter().map(|i| bound * (2.0 * draw(i)[0] - 1.0)).collect()
            }
        }
    }
}

/// A standard normal value within two deviations, from uniform ones: of two pairs the first that lies inside, by
/// Box and Muller's transform; 4.6 % of a pair's values lie outside, and 0.2 % of both are cut to the bound.
fn truncated_normal([a, b, c, d]: [f32; 4]) -> f32 {
    let normal = |u: f32, v: f32| (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos();
    let (first, second) = (normal(a, b), normal(c, d));
    if first.abs() <= 2.0 { first } else { second.clamp(-2.0, 2.0) }
}

/// FNV-1a, 64 bits: a key as a number.
fn fnv1a(key: &str) -> u64 {
    key.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
        (mean, (square - mean * mean).sqrt())
    }

    #[test]
    fn distributions_have_their_moments() {
        let normal = Init::Normal(0.02).values(1, "a", &[100, 1000]);
        let (mean, deviation) = moments(&normal);
        // A normal cut at two deviations has 0.8796 of its deviation.
        assert!(mean.abs() < 1e-4 && (deviation / 0.02 - 0.88).abs() < 0.01, "{mean} {deviation}");
        assert!(normal.iter().all(|v| v.abs() <= 0.04));
        let uniform = Init::FanIn.values(1, "a", &[50, 16, 3, 3]);
        let bound = 1.0 / 12.0;
        assert!(uniform.iter().all(|v| v.abs() <= bound));
        assert!((moments(&uniform).1 / (f64::from(bound) / 3f64.sqrt()) - 1.0).abs() < 0.02);
        let he = Init::FanOut.values(1, "a", &[32, 16, 3, 3]);
        assert!((moments(&he).1 / (2.0f64 / 288.0).sqrt() - 0.88).abs() < 0.02);
    }

    #[test]
    fn keys_and_seeds_draw_apart() {
        let values = |seed, key| Init::Normal(1.0).values(seed, key, &[8]);
        assert_eq!(values(1, "a"), values(1, "a"));
        assert_ne!(values(1, "a"), values(1, "b"));
        assert_ne!(values(1, "a"), values(2, "a"));
    }
}
