//! What the op computes, in f64, as its formula says; tests only.

/// Rows of x hold `n` values.
pub fn forward(x: &[f64], n: usize) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(n) {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
        y.extend(x.iter().map(|x| (x - max).exp() / sum));
    }
    y
}

/// The gradient of x for `dy`.
pub fn backward(x: &[f64], dy: &[f64], n: usize) -> Vec<f64> {
    let y = forward(x, n);
    let mut dx = Vec::new();
    for (y, dy) in y.chunks_exact(n).zip(dy.chunks_exact(n)) {
        let dot: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
        dx.extend(y.iter().zip(dy).map(|(y, dy)| y * (dy - dot)));
    }
    dx
}
