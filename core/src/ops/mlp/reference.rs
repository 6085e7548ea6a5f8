//! A bias-free multilayer perceptron with ReLU between layers and a linear last layer, in f64.
//!
//! Layer k computes `y = W_k x`, W_k of shape `[out][in]` as in PyTorch's Linear.

/// A row-major matrix `[rows][columns]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Output features of a layer.
    pub rows: usize,
    /// Input features of a layer.
    pub columns: usize,
    /// `rows * columns` values, row by row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }
}

/// What [`forward`] computed: the input of every layer, then the output; each `[n][features]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    layers: Vec<Vec<f64>>,
}

impl Trace {
    /// The network's output, `[n][out]`.
    pub fn output(&self) -> &[f64] {
        self.layers.last().map_or(&[], Vec::as_slice)
    }
}

/// Runs the network on `x`, `[n][in]`.
pub fn forward(weights: &[Matrix], x: &[f64]) -> Trace {
    let mut layers = vec![x.to_vec()];
    for (k, w) in weights.iter().enumerate() {
        let is_last = k + 1 == weights.len();
        let mut output = Vec::new();
        for input in layers[k].chunks_exact(w.columns) {
            for row in w.values.chunks_exact(w.columns) {
                let sum: f64 = row.iter().zip(input).map(|(w, x)| w * x).sum();
                output.push(if is_last { sum } else { sum.max(0.0) });
            }
        }
        layers.push(output);
    }
    Trace { layers }
}

/// Gradients with respect to the input (`[n][in]`) and to each matrix, from `d_out` `[n][out]`.
///
/// The derivative of ReLU at 0 is 0.
pub fn backward(weights: &[Matrix], trace: &Trace, d_out: &[f64]) -> (Vec<f64>, Vec<Matrix>) {
    let mut d_weights: Vec<Matrix> = weights.iter().map(|w| Matrix::zeros(w.rows, w.columns)).collect();
    let mut d_y = d_out.to_vec();
    for (k, w) in weights.iter().enumerate().rev() {
        let x = &trace.layers[k];
        let mut d_x = vec![0.0; x.len()];
        let samples = x.chunks_exact(w.columns).zip(d_x.chunks_exact_mut(w.columns));
        for ((x, d_x), d_y) in samples.zip(d_y.chunks_exact(w.rows)) {
            for (o, d_y) in d_y.iter().enumerate() {
                for i in 0..w.columns {
                    d_weights[k].values[o * w.columns + i] += d_y * x[i];
                    d_x[i] += d_y * w.values[o * w.columns + i];
                }
            }
        }
        // The input of every layer but the first is a ReLU's output.
        if k > 0 {
            d_x.iter_mut().zip(x).filter(|(_, x)| **x <= 0.0).for_each(|(d_x, _)| *d_x = 0.0);
        }
        d_y = d_x;
    }
    (d_y, d_weights)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, finite_difference};

    fn network(rng: &mut TestRng, widths: &[usize]) -> Vec<Matrix> {
        let layer = |w: &[usize]| Matrix { rows: w[1], columns: w[0], values: rng.normals(w[0] * w[1], 0.7) };
        widths.windows(2).map(layer).collect()
    }

    fn loss(weights: &[Matrix], x: &[f64], d_out: &[f64]) -> f64 {
        forward(weights, x).output().iter().zip(d_out).map(|(y, g)| y * g).sum()
    }

    #[test]
    fn a_network_worked_by_hand() {
        let weights = [
            Matrix { rows: 2, columns: 2, values: vec![1.0, 2.0, -1.0, 0.5] },
            Matrix { rows: 1, columns: 2, values: vec![3.0, -4.0] },
        ];
        // Hidden: (1 + 4, -1 + 1) = (5, 0), and (-5, 0.5) -> (0, 0.5).
        let trace = forward(&weights, &[1.0, 2.0, -1.0, -2.0]);
        assert_eq!(trace.output(), [15.0, 0.0]);
        let trace = forward(&weights, &[-1.0, -1.0]);
        assert_eq!(trace.output(), [-2.0]);
        let (d_x, d_w) = backward(&weights, &trace, &[1.0]);
        assert_eq!(d_x, [4.0, -2.0]);
        assert_eq!(d_w[0].values, [0.0, 0.0, 4.0, 4.0]);
        assert_eq!(d_w[1].values, [0.0, 0.5]);
    }

    #[test]
    fn every_gradient_matches_finite_differences() {
        for widths in [&[5, 3][..], &[4, 8, 2], &[3, 8, 6, 4]] {
            let mut rng = TestRng::new(5);
            let weights = network(&mut rng, widths);
            let x = rng.normals(7 * widths[0], 1.0);
            let d_out = rng.normals(7 * widths[widths.len() - 1], 1.0);
            let (d_x, d_w) = backward(&weights, &forward(&weights, &x), &d_out);
            // A step short of the nearest kink.
            let options = FdOptions { eps: 1e-5, ..FdOptions::default() };
            finite_difference(|x| loss(&weights, x, &d_out), &x, &d_x, options).unwrap();
            for k in 0..weights.len() {
                let of_layer = |values: &[f64]| {
                    let mut weights = weights.clone();
                    weights[k].values = values.to_vec();
                    loss(&weights, &x, &d_out)
                };
                finite_difference(of_layer, &weights[k].values, &d_w[k].values, options).unwrap();
            }
        }
    }
}
