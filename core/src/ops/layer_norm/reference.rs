//! What the op computes, in f64, as its formula says; tests only.

fn statistics(x: &[f64], eps: f64) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, 1.0 / (var + eps).sqrt())
}

/// Rows of x are as long as `w` and `b`.
pub fn forward(x: &[f64], w: &[f64], b: &[f64], eps: f64) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(w.len()) {
        let (mean, scale) = statistics(x, eps);
        y.extend(x.iter().zip(w).zip(b).map(|((x, w), b)| (x - mean) * scale * w + b));
    }
    y
}

/// Gradients of x, w and b for `dy`.
pub fn backward(x: &[f64], w: &[f64], dy: &[f64], eps: f64) -> [Vec<f64>; 3] {
    let c = w.len();
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
    for ((x, dy), dx) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
        let (mean, scale) = statistics(x, eps);
        let n: Vec<f64> = x.iter().map(|x| (x - mean) * scale).collect();
        let g: Vec<f64> = dy.iter().zip(w).map(|(dy, w)| dy * w).collect();
        let mean_g = g.iter().sum::<f64>() / c as f64;
        let mean_gn = g.iter().zip(&n).map(|(g, n)| g * n).sum::<f64>() / c as f64;
        for i in 0..c {
            dx[i] = (g[i] - mean_g - n[i] * mean_gn) * scale;
            dw[i] += dy[i] * n[i];
            db[i] += dy[i];
        }
    }
    [dx, dw, db]
}
