//! What the op computes, in f64, as its formulas say; tests only.
use crate::ops::gelu::{self, Form};

/// Mean and variance of every channel.
pub fn statistics(x: &[f64], channels: usize) -> [Vec<f64>; 2] {
    let rows = (x.len() / channels) as f64;
    let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
    x.iter().enumerate().for_each(|(at, x)| mean[at % channels] += x / rows);
    x.iter()
        .enumerate()
        .for_each(|(at, x)| variance[at % channels] += (x - mean[at % channels]).powi(2) / rows);
    [mean, variance]
}

/// `y` with the statistics of x, or with those given.
pub fn forward(x: &[f64], w: &[f64], b: &[f64], given: Option<&[Vec<f64>; 2]>, eps: f64) -> Vec<f64> {
    let channels = w.len();
    let [mean, variance] = given.cloned().unwrap_or_else(|| statistics(x, channels));
    let y = |(at, x): (usize, &f64)| {
        let c = at % channels;
        (x - mean[c]) / (variance[c] + eps).sqrt() * w[c] + b[c]
    };
    x.iter().enumerate().map(y).collect()
}

/// Gradients of x, w and b for `dy`.
pub fn backward(x: &[f64], w: &[f64], dy: &[f64], given: Option<&[Vec<f64>; 2]>, eps: f64) -> [Vec<f64>; 3] {
    let channels = w.len();
    let rows = (x.len() / channels) as f64;
    let [mean, variance] = given.cloned().unwrap_or_else(|| statistics(x, channels));
    let h = |at: usize| (x[at] - mean[at % channels]) / (variance[at % channels] + eps).sqrt();
    let (mut dw, mut db) = (vec![0.0; channels], vec![0.0; channels]);
    for (at, dy) in dy.iter().enumerate() {
        dw[at % channels] += dy * h(at);
        db[at % channels] += dy;
    }
    let dx = |(at, dy): (usize, &f64)| {
        let c = at % channels;
        let through = if given.is_some() { 0.0 } else { (db[c] + h(at) * dw[c]) / rows };
        w[c] / (variance[c] + eps).sqrt() * (dy - through)
    };
    [dy.iter().enumerate().map(dx).collect(), dw, db]
}

/// `gelu(y)` of [`forward`].
pub fn forward_gelu(
    x: &[f64],
    w: &[f64],
    b: &[f64],
    given: Option<&[Vec<f64>; 2]>,
    eps: f64,
    form: Form,
) -> Vec<f64> {
    forward(x, w, b, given, eps).into_iter().map(|y| gelu::reference::forward(form, y)).collect()
}

/// Gradients of x, w and b for `dy` of [`forward_gelu`]: the chain rule.
pub fn backward_gelu(
    [x, w, b]: [&[f64]; 3],
    dy: &[f64],
    given: Option<&[Vec<f64>; 2]>,
    eps: f64,
    form: Form,
) -> [Vec<f64>; 3] {
    let y = forward(x, w, b, given, eps);
    let d: Vec<f64> = y.iter().zip(dy).map(|(y, dy)| gelu::reference::derivative(form, *y) * dy).collect();
    backward(x, w, &d, given, eps)
}
