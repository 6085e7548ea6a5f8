//! What the op computes, in f64, as its formula says; tests only.

/// The loss and its gradient: rows of x are as long as `weights`.
pub fn loss(x: &[f64], labels: &[u8], weights: &[f64]) -> (f64, Vec<f64>) {
    let classes = weights.len();
    let mut dx = vec![0.0; x.len()];
    let known = |y: &u8| usize::from(*y) < classes;
    let total: f64 = labels.iter().filter(|y| known(y)).map(|y| weights[usize::from(*y)]).sum();
    if total == 0.0 {
        return (0.0, dx);
    }
    let mut loss = 0.0;
    for ((x, y), dx) in x.chunks_exact(classes).zip(labels).zip(dx.chunks_exact_mut(classes)) {
        if !known(y) {
            continue;
        }
        let y = usize::from(*y);
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
        loss += weights[y] * (max + sum.ln() - x[y]) / total;
        for k in 0..classes {
            let hit = if k == y { 1.0 } else { 0.0 };
            dx[k] = weights[y] * ((x[k] - max).exp() / sum - hit) / total;
        }
    }
    (loss, dx)
}
