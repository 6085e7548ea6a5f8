//! Normal equations of ridge regression, summed up in a stream and solved in f64.

use crate::ops::gemm::{MatRef, gemm};

/// No solution: there were no samples, or the sums are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be solved for: {0}")]
pub struct Unsolvable(pub &'static str);

/// Rows whose products are summed in f32 before they are added in f64.
const BLOCK: usize = 256;

/// `F F^T`, `Y F^T` and what goes with them; F has a last row of ones.
#[derive(Clone, Debug)]
pub struct Normal {
    inputs: usize,
    outputs: usize,
    count: usize,
    /// `[inputs][inputs]`.
    ff: Vec<f64>,
    /// `[outputs][inputs]`.
    yf: Vec<f64>,
    f: Vec<f64>,
    y: Vec<f64>,
    yy: Vec<f64>,
    room: Vec<f32>,
}

/// A linear map with a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// `[outputs][inputs]`.
    pub weight: Vec<f32>,
    /// By output.
    pub bias: Vec<f32>,
    /// The share of the outputs' variance that it leaves unexplained.
    pub error: f64,
}

impl Normal {
    /// Of so many regressors and outputs.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            count: 0,
            ff: vec![0.0; inputs * inputs],
            yf: vec![0.0; outputs * inputs],
            f: vec![0.0; inputs],
            y: vec![0.0; outputs],
            yy: vec![0.0; outputs],
            room: vec![0.0; inputs * inputs.max(outputs)],
        }
    }

    /// Adds samples: rows of regressors and of outputs.
    ///
    /// # Panics
    /// If there are not as many of both.
    pub fn add(&mut self, f: &[f32], y: &[f32]) {
        let (n, l) = (self.inputs, self.outputs);
        assert_eq!(f.len() / n, y.len() / l, "as many regressors as outputs");
        for (f, y) in f.chunks(BLOCK * n).zip(y.chunks(BLOCK * l)) {
            let rows = f.len() / n;
            self.count += rows;
            for (sum, (from, width)) in [(&mut self.ff, (f, n)), (&mut self.yf, (y, l))] {
                let room = &mut self.room[..width * n];
                gemm([width, n, rows], MatRef::rows(from, width).t(), MatRef::rows(f, n), room, n, false);
                sum.iter_mut().zip(room).for_each(|(sum, v)| *sum += f64::from(*v));
            }
            for row in f.chunks_exact(n) {
                self.f.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
            }
            for row in y.chunks_exact(l) {
                for ((sum, square), v) in self.y.iter_mut().zip(&mut self.yy).zip(row) {
                    *sum += f64::from(*v);
                    *square += f64::from(*v).powi(2);
                }
            }
        }
    }

    /// Samples so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean square of each regressor.
    #[must_use]
    pub fn squares(&self) -> Vec<f64> {
        (0..self.inputs).map(|i| self.ff[i * self.inputs + i] / self.count.max(1) as f64).collect()
    }

    /// The same of these regressors alone, in this order.
    ///
    /// # Panics
    /// If there is no such regressor.
    #[must_use]
    pub fn subset(&self, chosen: &[usize]) -> Self {
        let (n, rows) = (self.inputs, |values: &[f64], rows: &mut dyn Iterator<Item = usize>| -> Vec<f64> {
            rows.flat_map(|row| chosen.iter().map(move |c| (row, *c)))
                .map(|(row, c)| values[row * self.inputs + c])
                .collect()
        });
        debug_assert!(chosen.iter().all(|c| *c < n));
        Self {
            inputs: chosen.len(),
            ff: rows(&self.ff, &mut chosen.iter().copied()),
            yf: rows(&self.yf, &mut (0..self.outputs)),
            f: chosen.iter().map(|c| self.f[*c]).collect(),
            room: vec![0.0; chosen.len() * chosen.len().max(self.outputs)],
            ..self.clone()
        }
    }

    /// Covariances `[inputs][inputs]` and `[outputs][inputs]`: of values less their means.
    pub(super) fn covariances(&self) -> (Vec<f64>, Vec<f64>) {
        let (n, by) = (self.inputs, 1.0 / self.count.max(1) as f64);
        let centered = |sums: &[f64], left: &[f64]| -> Vec<f64> {
            let rows = sums.chunks_exact(n).zip(left);
            rows.flat_map(|(row, a)| row.iter().zip(&self.f).map(move |(v, b)| (v - a * b * by) * by))
                .collect()
        };
        (centered(&self.ff, &self.f), centered(&self.yf, &self.y))
    }

    /// Means of regressors and of outputs.
    pub(super) fn means(&self) -> (Vec<f64>, Vec<f64>) {
        let by = 1.0 / self.count.max(1) as f64;
        let mean = |sums: &[f64]| sums.iter().map(|sum| sum * by).collect();
        (mean(&self.f), mean(&self.y))
    }

    /// The variance of an output.
    pub(super) fn variance(&self, output: usize) -> f64 {
        let by = 1.0 / self.count.max(1) as f64;
        self.yy[output] * by - (self.y[output] * by).powi(2)
    }

    /// The ridge regression, `lambda` being a share of the regressors' mean variance. The constant is not held down.
    ///
    /// # Errors
    /// Without samples, and where sums are not finite.
    pub fn solve(&self, lambda: f64) -> Result<Solution, Unsolvable> {
        if self.count == 0 {
            return Err(Unsolvable("nothing was recorded"));
        }
        let (n, l, by) = (self.inputs, self.outputs, 1.0 / self.count as f64);
        // Of centered values the constant falls out.
        let (mut ff, yf) = self.covariances();
        let mean = (0..n).map(|i| ff[i * n + i]).sum::<f64>() / n as f64;
        let ridge = (lambda * mean).max(f64::MIN_POSITIVE);
        (0..n).for_each(|i| ff[i * n + i] += ridge);
        let exact = ff.clone();
        cholesky(&mut ff, n)?;
        let (mut weight, mut bias, mut left, mut all) = (Vec::with_capacity(l * n), Vec::new(), 0.0, 0.0);
        for (o, right) in yf.chunks_exact(n).enumerate() {
            let mut w = right.to_vec();
            substitute(&ff, n, &mut w);
            let variance = self.variance(o);
            // |y - w f|^2 = |y|^2 - 2 w yf + w ff w, without the ridge.
            let mut quadratic = 0.0;
            for (i, wi) in w.iter().enumerate() {
                let row: f64 = exact[i * n..(i + 1) * n].iter().zip(&w).map(|(a, b)| a * b).sum();
                quadratic += wi * (row - ridge * wi);
            }
            let linear: f64 = w.iter().zip(right).map(|(a, b)| a * b).sum();
            left += (variance - 2.0 * linear + quadratic).max(0.0);
            all += variance;
            let shift: f64 = w.iter().zip(&self.f).map(|(w, f)| w * f * by).sum();
            bias.push((self.y[o] * by - shift) as f32);
            weight.extend(w.iter().map(|w| *w as f32));
        }
        Ok(Solution { weight, bias, error: if all > 0.0 { left / all } else { 0.0 } })
    }
}

/// The lower factor of a symmetric positive matrix, in place.
fn cholesky(a: &mut [f64], n: usize) -> Result<(), Unsolvable> {
    for j in 0..n {
        let (above, rest) = a.split_at_mut(j * n);
        let row = &mut rest[..n];
        for i in 0..j {
            let other = &above[i * n..i * n + i];
            let product: f64 = row[..i].iter().zip(other).map(|(a, b)| a * b).sum();
            row[i] = (row[i] - product) / above[i * n + i];
        }
        let square: f64 = row[..j].iter().map(|v| v * v).sum();
        let pivot = row[j] - square;
        if pivot.is_nan() || pivot <= 0.0 {
            return Err(Unsolvable(
                "what was recorded is not finite, or the ridge is too weak: raise --ridge",
            ));
        }
        row[j] = pivot.sqrt();
    }
    Ok(())
}

/// Solves `L L^T w = w` in place.
fn substitute(l: &[f64], n: usize, w: &mut [f64]) {
    for i in 0..n {
        let product: f64 = l[i * n..i * n + i].iter().zip(&*w).map(|(a, b)| a * b).sum();
        w[i] = (w[i] - product) / l[i * n + i];
    }
    for i in (0..n).rev() {
        w[i] /= l[i * n + i];
        let at = w[i];
        w[..i].iter_mut().zip(&l[i * n..]).for_each(|(w, l)| *w -= l * at);
    }
}
