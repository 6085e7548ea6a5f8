//! What the op computes, in f64, as its formula says; tests only.

/// `y = x W^T + b`; x is `(rows, inputs)`, `w` is `(outputs, inputs)`.
pub fn forward(x: &[f64], w: &[f64], b: Option<&[f64]>, inputs: usize) -> Vec<f64> {
    let outputs = w.len() / inputs;
    let mut y = Vec::new();
    for x in x.chunks_exact(inputs) {
        for o in 0..outputs {
            let product: f64 = x.iter().zip(&w[o * inputs..]).map(|(x, w)| x * w).sum();
            y.push(product + b.map_or(0.0, |b| b[o]));
        }
    }
    y
}

/// Gradients of x, W and b for `dy`.
pub fn backward(x: &[f64], w: &[f64], dy: &[f64], inputs: usize) -> [Vec<f64>; 3] {
    let outputs = w.len() / inputs;
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; outputs]);
    for (r, dy) in dy.chunks_exact(outputs).enumerate() {
        for (o, dy) in dy.iter().enumerate() {
            db[o] += dy;
            for i in 0..inputs {
                dx[r * inputs + i] += dy * w[o * inputs + i];
                dw[o * inputs + i] += dy * x[r * inputs + i];
            }
        }
    }
    [dx, dw, db]
}
