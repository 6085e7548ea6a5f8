//! What the op computes, in f64, as its formulas say; tests only.

/// The eight logits around `position` (in the unit cube) and their weights.
pub fn corners(side: usize, position: [f64; 3]) -> [(usize, f64); 8] {
    let axis = |x: f64| {
        let at = (x * side as f64 - 0.5).clamp(0.0, (side - 1) as f64);
        let low = (at.floor() as usize).min(side - 2);
        (low, at - low as f64)
    };
    let [x, y, z] = position.map(axis);
    std::array::from_fn(|corner| {
        let pick = |bit: usize, (low, part): (usize, f64)| {
            if corner >> bit & 1 == 1 { (low + 1, part) } else { (low, 1.0 - part) }
        };
        let [(x, wx), (y, wy), (z, wz)] = [pick(0, x), pick(1, y), pick(2, z)];
        ((z * side + y) * side + x, wx * wy * wz)
    })
}

/// The interpolated logit.
pub fn logit(side: usize, grid: &[f64], position: [f64; 3]) -> f64 {
    corners(side, position).iter().map(|(i, w)| w * grid[*i]).sum()
}

/// Adds the gradient of the grid for one position.
pub fn backward(side: usize, position: [f64; 3], d_logit: f64, grad: &mut [f64]) {
    corners(side, position).iter().for_each(|(i, w)| grad[*i] += w * d_logit);
}

pub use super::sigmoid;

/// `v = p f`.
pub fn scale(logit: f64, features: &[f64]) -> Vec<f64> {
    features.iter().map(|f| sigmoid(logit) * f).collect()
}

/// The gradients of the logit and of the features from that of v.
pub fn scale_backward(logit: f64, features: &[f64], d_v: &[f64]) -> (f64, Vec<f64>) {
    let p = sigmoid(logit);
    let d_p: f64 = features.iter().zip(d_v).map(|(f, d)| f * d).sum();
    (d_p * p * (1.0 - p), d_v.iter().map(|d| p * d).collect())
}

/// S(G), the mean of the sigmoids.
pub fn mean(grid: &[f64]) -> f64 {
    grid.iter().map(|g| sigmoid(*g)).sum::<f64>() / grid.len() as f64
}
