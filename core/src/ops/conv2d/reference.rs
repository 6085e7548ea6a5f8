//! In f64, as the formula says.
use super::Geometry;

/// Calls `f` with the indices of y, x and w (as groups of one channel each) of every product.
fn products(g: &Geometry, batch: usize, mut f: impl FnMut(usize, usize, usize)) {
    let [height, width] = g.size;
    let [rows, columns] = g.places;
    let ([tall, wide], [down, across], [top, left]) = (g.window.kernel, g.window.stride, g.window.padding);
    for at in 0..batch * rows * columns {
        let (n, r, c) = (at / (rows * columns), at / columns % rows, at % columns);
        for tap in 0..tall * wide {
            let (j, k) = (tap / wide, tap % wide);
            let (y, x) = (r * down + j, c * across + k);
            if y < top || x < left || y - top >= height || x - left >= width {
                continue;
            }
            f(at, (n * height + y - top) * width + x - left, tap);
        }
    }
}

/// `y`, for `batch` images.
pub fn forward(g: &Geometry, x: &[f64], w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
    let batch = x.len() / (g.size[0] * g.size[1] * g.inputs);
    let mut y = vec![0.0; batch * g.places[0] * g.places[1] * g.outputs];
    if let Some(b) = b {
        y.chunks_exact_mut(g.outputs).for_each(|y| y.copy_from_slice(b));
    }
    products(g, batch, |at, pixel, tap| {
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
pub fn backward(g: &Geometry, x: &[f64], w: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let batch = x.len() / (g.size[0] * g.size[1] * g.inputs);
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; g.outputs]);
    for dy in dy.chunks_exact(g.outputs) {
        db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
    }
    products(g, batch, |at, pixel, tap| {
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
