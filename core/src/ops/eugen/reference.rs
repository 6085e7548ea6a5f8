//! What the features are, in f64, as their formula says; tests only.

use super::{FeatureConfig, Nonlinearity};

/// `[x ; 1 ; |x|]`.
fn extended(config: &FeatureConfig, x: &[f64]) -> Vec<f64> {
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let tail = [1.0, norm];
    x.iter().chain(&tail[..config.columns(0)]).copied().collect()
}

/// `G_ij x+` of every projection.
fn projected(config: &FeatureConfig, g: &[f64], x: &[f64]) -> Vec<Vec<f64>> {
    let (x, m) = (extended(config, x), config.features);
    let of = |g: &[f64]| {
        (0..m).map(|f| x.iter().enumerate().map(|(c, x)| x * g[c * m + f]).sum()).collect::<Vec<f64>>()
    };
    g.chunks_exact(x.len() * m).map(of).collect()
}

/// The projections of each order, as ranges of their numbers.
fn orders(config: &FeatureConfig) -> impl Iterator<Item = std::ops::Range<usize>> {
    (1..=config.order).map(|i| i * (i - 1) / 2..i * (i + 1) / 2)
}

/// `f(x)` of rows of `inputs` values.
pub fn forward(config: &FeatureConfig, g: &[f64], x: &[f64], inputs: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for x in x.chunks_exact(inputs) {
        let z = projected(config, g, x);
        for range in orders(config) {
            for f in 0..config.features {
                let product: f64 = z[range.clone()].iter().map(|z| z[f]).product();
                out.push(if config.phi == Nonlinearity::Relu { product.max(0.0) } else { product });
            }
        }
    }
    out
}

/// Gradients of x and G for that of the features. At a norm of 0 the norm's slope is 0.
pub fn backward(config: &FeatureConfig, g: &[f64], x: &[f64], d_out: &[f64], inputs: usize) -> [Vec<f64>; 2] {
    let (m, columns) = (config.features, config.columns(inputs));
    let (mut dx, mut dg) = (Vec::new(), vec![0.0; g.len()]);
    for (x, d_out) in x.chunks_exact(inputs).zip(d_out.chunks_exact(config.outputs())) {
        let (z, plus) = (projected(config, g, x), extended(config, x));
        let mut d_plus = vec![0.0; columns];
        for (range, d_out) in orders(config).zip(d_out.chunks_exact(m)) {
            for (f, d_out) in d_out.iter().enumerate() {
                let product: f64 = z[range.clone()].iter().map(|z| z[f]).product();
                if config.phi == Nonlinearity::Relu && product <= 0.0 {
                    continue;
                }
                for p in range.clone() {
                    let others: f64 = range.clone().filter(|q| *q != p).map(|q| z[q][f]).product();
                    for c in 0..columns {
                        let at = (p * columns + c) * m + f;
                        dg[at] += d_out * others * plus[c];
                        d_plus[c] += d_out * others * g[at];
                    }
                }
            }
        }
        let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        let by_norm = if config.no_norm || norm == 0.0 { 0.0 } else { d_plus[inputs + 1] / norm };
        dx.extend(x.iter().zip(&d_plus).map(|(x, d)| d + by_norm * x));
    }
    [dx, dg]
}
