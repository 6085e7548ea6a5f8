//! What the op computes, in f64, as its formula says; tests only.
use super::ChannelGeometry;

/// `y`.
pub fn forward(g: &ChannelGeometry, x: &[f64], w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
    let batch = x.len() / (g.size[0] * g.size[1] * g.channels);
    let mut y = vec![0.0; batch * g.places[0] * g.places[1] * g.channels];
    if let Some(b) = b {
        y.chunks_exact_mut(g.channels).for_each(|y| y.copy_from_slice(b));
    }
    g.window.each_tap(g.size, g.places, batch, |at, pixel, tap| {
        for i in 0..g.channels {
            y[at * g.channels + i] += w[i * g.window.area() + tap] * x[pixel * g.channels + i];
        }
    });
    y
}

/// Gradients of x, w and b for `dy`.
pub fn backward(g: &ChannelGeometry, x: &[f64], w: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let batch = x.len() / (g.size[0] * g.size[1] * g.channels);
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; g.channels]);
    for dy in dy.chunks_exact(g.channels) {
        db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
    }
    g.window.each_tap(g.size, g.places, batch, |at, pixel, tap| {
        for i in 0..g.channels {
            let dy = dy[at * g.channels + i];
            dx[pixel * g.channels + i] += dy * w[i * g.window.area() + tap];
            dw[i * g.window.area() + tap] += dy * x[pixel * g.channels + i];
        }
    });
    [dx, dw, db]
}
