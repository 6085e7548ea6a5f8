use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, TestRng, finite_difference};

#[test]
fn the_gradient_matches_finite_differences() {
    let mut rng = TestRng::new(1);
    let (x, dy) = (rng.normals(12, 1.0), rng.normals(12, 1.0));
    let loss = |x: &[f64]| -> f64 { reference::forward(x, 4).iter().zip(&dy).map(|(y, dy)| y * dy).sum() };
    let dx = reference::backward(&x, &dy, 4);
    finite_difference(loss, &x, &dx, FdOptions::default()).expect("dx");
}

#[test]
fn the_op_matches_the_reference() {
    for (rows, n) in [(1, 2), (5, 3), (40, 197), (3, 5000)] {
        let x: Vec<f64> = TestRng::new(n as u64).normals(rows * n, 4.0).iter().map(|x| x + 50.0).collect();
        agrees(Case {
            inputs: &[(&x, &[rows, n])],
            op: &|t| softmax(&t[0]),
            forward: &|v| reference::forward(&v[0], n),
            backward: &|v, dy| vec![reference::backward(&v[0], dy, n)],
        });
    }
}

#[test]
fn extreme_rows_stay_finite() {
    use crate::graph::{Device, Tensor, read};
    let x = Tensor::new(&[[1e30f32, -1e30, 0.0], [-1e30, -1e30, -1e30]], &Device::Cpu).expect("x");
    let y = softmax(&x).expect("softmax");
    let y = read(&y).expect("values");
    assert!((y[0] - 1.0).abs() < 1e-6 && y[1] < 1e-30 && (y[3] - 1.0 / 3.0).abs() < 1e-6, "{:?}", &*y);
}
