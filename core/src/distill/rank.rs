//! What rivals of EUGen layers are made of: the best map of a rank, the values that matter most.

use super::{Normal, Unsolvable};
use crate::ops::eugen::orthonormalize;
use crate::rng::{Rng, Stream};
use rayon::prelude::*;

/// A map through few values: `y = up down x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// `[rank][inputs]`.
    pub down: Vec<f32>,
    /// `[outputs][rank]`.
    pub up: Vec<f32>,
    /// By output.
    pub bias: Vec<f32>,
    /// The share of the outputs' variance that it leaves unexplained.
    pub error: f64,
}

/// Iterations of subspaces: what is left out has far less variance than what is found.
const ITERATIONS: usize = 24;

/// The ridge regression of rank `rank` at most (reduced-rank regression, Izenman 1975): the full one, projected on the principal
/// directions of what it predicts.
///
/// # Errors
/// See [`Normal::solve`].
pub fn low_rank(normal: &Normal, rank: usize, lambda: f64, seed: u64) -> Result<LowRank, Unsolvable> {
    let full = normal.solve(lambda)?;
    let (ff, yf) = normal.covariances();
    let n = (ff.len() as f64).sqrt().round() as usize;
    let l = full.bias.len();
    let rank = rank.min(l).min(n);
    let b: Vec<f64> = full.weight.iter().map(|w| f64::from(*w)).collect();
    // B C B^T applied to rows, one half after the other.
    let predicted = |v: &[f64]| -> Vec<f64> {
        let mut down = vec![0.0; n];
        for (v, row) in v.iter().zip(b.chunks_exact(n)) {
            down.iter_mut().zip(row).for_each(|(d, b)| *d += v * b);
        }
        let spread: Vec<f64> =
            ff.chunks_exact(n).map(|row| row.iter().zip(&down).map(|(a, b)| a * b).sum()).collect();
        b.chunks_exact(n).map(|row| row.iter().zip(&spread).map(|(a, b)| a * b).sum()).collect()
    };
    let start = |r: usize| {
        let value = |o: usize| {
            let [u, ..] = Rng::new(seed).uniform4(Stream::Features, r as u64, o as u32);
            f64::from(u) - 0.5
        };
        (0..l).map(value).collect::<Vec<f64>>()
    };
    let mut basis: Vec<Vec<f64>> = (0..rank).map(start).collect();
    orthonormalize(&mut basis);
    for _ in 0..ITERATIONS {
        basis = basis.par_iter().map(|v| predicted(v)).collect();
        orthonormalize(&mut basis);
    }
    let mut down = Vec::with_capacity(rank * n);
    for v in &basis {
        let mut row = vec![0.0f64; n];
        for (v, b) in v.iter().zip(b.chunks_exact(n)) {
            row.iter_mut().zip(b).for_each(|(d, b)| *d += v * b);
        }
        down.extend(row.iter().map(|v| *v as f32));
    }
    let up: Vec<f32> = (0..l).flat_map(|o| basis.iter().map(move |v| v[o] as f32)).collect();
    // What it predicts, against what there is: |y|^2 - 2 w yf + w ff w, by the means.
    let (means, outputs) = normal.means();
    let (mut bias, mut left, mut all) = (Vec::with_capacity(l), 0.0, 0.0);
    for o in 0..l {
        let mut w = vec![0.0f64; n];
        for (r, u) in up[o * rank..(o + 1) * rank].iter().enumerate() {
            let row = &down[r * n..(r + 1) * n];
            w.iter_mut().zip(row).for_each(|(w, d)| *w += f64::from(*u) * f64::from(*d));
        }
        let shift: f64 = w.iter().zip(&means).map(|(w, m)| w * m).sum();
        bias.push((outputs[o] - shift) as f32);
        let linear: f64 = w.iter().zip(&yf[o * n..]).map(|(a, b)| a * b).sum();
        let quadratic: f64 = ff
            .chunks_exact(n)
            .zip(&w)
            .map(|(row, wi)| wi * row.iter().zip(&w).map(|(a, b)| a * b).sum::<f64>())
            .sum();
        let variance = normal.variance(o);
        left += (variance - 2.0 * linear + quadratic).max(0.0);
        all += variance;
    }
    Ok(LowRank { down, up, bias, error: if all > 0.0 { left / all } else { 0.0 } })
}

/// The `count` values of a layer that matter most to the layers behind it: by mean square and by the squares of the weights
/// that read them, `[output][values]`; in ascending order.
#[must_use]
pub fn most_important(squares: &[f64], readers: &[&[f32]], count: usize) -> Vec<usize> {
    let n = squares.len();
    let weight = |i: usize| -> f64 {
        readers.iter().flat_map(|w| w.chunks_exact(n)).map(|row| f64::from(row[i]).powi(2)).sum()
    };
    let scores: Vec<f64> = (0..n).map(|i| squares[i] * weight(i)).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order
}
