//! What the op computes, in f64, as its formula says; tests only.
use super::ConvGeometry;

/// `y`, for `batch` images.
pub fn forward(g: &ConvGeometry, x: &[f64], w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
    let batch = x.len() / (g.size[0] * g.size[1] * g.inputs);
    let mut y = vec![0.0; batch * g.places[0] * g.places[1] * g.outputs];
    if let Some(b) = b {
        y.chunks_exact_mut(g.outputs).for_each(|y| y.copy_from_slice(b));
    }
    g.window.each_tap(g.size, g.places, batch, |at, pixel, tap| {
        for o in 0..g.outputs {
            for i in 0..g.inputs {
                let w = w[(o * g.inputs + i) * g.window.area() + tap];
                y[at * g.outputs + o] += w * x[pixel * g.inputs + i];
            }
        }
    });
    y
}

/// Gradients of x, w and b for `dy`.
pub fn backward(g: &ConvGeometry, x: &[f64], w: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let batch = x.len() / (g.size[0] * g.size[1] * g.inputs);
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; g.outputs]);
    for dy in dy.chunks_exact(g.outputs) {
        db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
    }
    g.window.each_tap(g.size, g.places, batch, |at, pixel, tap| {
        for o in 0..g.outputs {
            let dy = dy[at * g.outputs + o];
            for i in 0..g.inputs {
                let weight = (o * g.inputs + i) * g.window.area() + tap;
                dx[pixel * g.inputs + i] += dy * w[weight];
                dw[weight] += dy * x[pixel * g.inputs + i];
            }
        }
    });
    [dx, dw, db]
}
