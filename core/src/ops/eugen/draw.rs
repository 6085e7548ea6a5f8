//! Projections as they start, and the weights that belong to the rows of a standard layer.

use super::{FeatureConfig, Nonlinearity, Projections, RowKind};
use crate::rng::{Rng, Stream};

/// A fresh G `[projection][column][feature]`. Each value depends on the seed, on `place` (which tells the layers of a model
/// apart) and on where it stands.
///
/// # Panics
/// If there are more projections than those of the highest order.
#[must_use]
pub fn draw(start: &Projections, shape: [usize; 3], seed: u64, place: u64) -> Vec<f32> {
    let [projections, columns, m] = shape;
    let mut g = vec![0.0; projections * columns * m];
    let orders = (1..).flat_map(|i| std::iter::repeat_n(i, i));
    for ((p, order), g) in orders.enumerate().zip(g.chunks_exact_mut((columns * m).max(1))) {
        // Streams of normal values: rows of the matrix, then their lengths.
        let normals =
            Normals { rng: Rng::new(seed), step: place.wrapping_mul(64).wrapping_add(2 * p as u64) };
        let row = |f: usize| (0..columns).map(|c| normals.at(f * columns + c)).collect::<Vec<f64>>();
        let mut rows: Vec<Vec<f64>> = (0..m).map(row).collect();
        if start.rows == RowKind::Orthogonal {
            let lengths = Normals { step: normals.step + 1, ..normals };
            rows.chunks_mut(columns).for_each(orthonormalize);
            for (f, row) in rows.iter_mut().enumerate() {
                let square: f64 = (0..columns).map(|c| lengths.at(f * columns + c).powi(2)).sum();
                row.iter_mut().for_each(|v| *v *= square.sqrt());
            }
        }
        let size = f64::from(start.coefficients[order - 1].abs()) / m as f64;
        let deviation = size.powf(0.5 / order as f64);
        for (f, row) in rows.iter().enumerate() {
            row.iter().enumerate().for_each(|(c, v)| g[c * m + f] = (deviation * v) as f32);
        }
    }
    g
}

/// The columns of Theta that stand for a standard layer's rows: `g(w)` of each row of `w` `[output][columns]`, which holds
/// weights, bias and, with the norm, a 0, so that `w+ . x+ = w . x + b`. The bias `theta_0` to go with them is `a_0`.
#[must_use]
pub fn weights(config: &FeatureConfig, g: &[f32], w: &[f32], inputs: usize) -> Vec<f32> {
    let (columns, m) = (config.columns(inputs), config.features);
    let coefficients = config.start().coefficients;
    let mut theta = Vec::with_capacity(w.len() / columns * config.outputs());
    for w in w.chunks_exact(columns) {
        let mut projections = g.chunks_exact(columns * m);
        for order in 1..=config.order {
            let mut products = vec![1.0f64; m];
            for g in projections.by_ref().take(order) {
                for (f, product) in products.iter_mut().enumerate() {
                    *product *= (0..columns).map(|c| f64::from(w[c]) * f64::from(g[c * m + f])).sum::<f64>();
                }
            }
            let a = coefficients[order - 1];
            let sign = if a == 0.0 { 0.0 } else { f64::from(a.signum()) };
            theta.extend(products.into_iter().map(|product| match config.phi {
                Nonlinearity::Identity => (sign * product) as f32,
                Nonlinearity::Relu => product.max(0.0) as f32,
            }));
        }
    }
    theta
}

/// Normal values by their index.
#[derive(Clone, Copy)]
struct Normals {
    rng: Rng,
    step: u64,
}

impl Normals {
    /// Box and Muller's transform in f64: features are checked against moments of the fourth order.
    fn at(self, index: usize) -> f64 {
        let [a, b, c, d] = self.rng.bits(Stream::Features, self.step, index as u32);
        let unit = |high: u32, low: u32| {
            ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64
        };
        (-2.0 * (1.0 - unit(a, b)).ln()).sqrt() * (std::f64::consts::TAU * unit(c, d)).cos()
    }
}

/// Makes rows, at most as many as they have values, orthonormal: Gram and Schmidt's process, each row twice, which leaves
/// them orthogonal to rounding.
pub(crate) fn orthonormalize(rows: &mut [Vec<f64>]) {
    for i in 0..rows.len() {
        let (done, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for _ in 0..2 {
            for other in done.iter() {
                let product: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= product * b);
            }
        }
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        // A row that depends on those before it is left out.
        let scale = if length > 1e-300 { 1.0 / length } else { 0.0 };
        row.iter_mut().for_each(|v| *v *= scale);
    }
}
