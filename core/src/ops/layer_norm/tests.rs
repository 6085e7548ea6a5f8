use super::cpu::{backward, forward};
use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, PARITY_L2, PARITY_MAX, TestRng, close, finite_difference, narrow, widen};
use crate::simd::Isa;

const EPS: f64 = 1e-5;

#[test]
fn gradients_match_finite_differences() {
    let mut rng = TestRng::new(1);
    let (x, w, b, dy) =
        (rng.normals(15, 1.0), rng.normals(5, 1.0), rng.normals(5, 1.0), rng.normals(15, 1.0));
    let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
        reference::forward(x, w, b, EPS).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    let [dx, dw, db] = reference::backward(&x, &w, &dy, EPS);
    finite_difference(|x| loss(x, &w, &b), &x, &dx, FdOptions::default()).expect("dx");
    finite_difference(|w| loss(&x, w, &b), &w, &dw, FdOptions::default()).expect("dw");
    finite_difference(|b| loss(&x, &w, b), &b, &db, FdOptions::default()).expect("db");
}

#[test]
fn the_op_matches_the_reference() {
    for (rows, channels) in [(1, 3), (7, 16), (300, 37), (129, 96)] {
        let mut rng = TestRng::new(channels as u64);
        let x: Vec<f64> = rng.normals(rows * channels, 2.0).iter().map(|x| x + 3.0).collect();
        let (w, b) = (rng.normals(channels, 1.0), rng.normals(channels, 1.0));
        agrees(Case {
            inputs: &[(&x, &[rows, channels]), (&w, &[channels]), (&b, &[channels])],
            op: &|t| layer_norm(&t[0], &t[1], &t[2], EPS),
            forward: &|v| reference::forward(&v[0], &v[1], &v[2], EPS),
            backward: &|v, dy| reference::backward(&v[0], &v[1], dy, EPS).to_vec(),
        });
    }
}

#[test]
fn every_instruction_set_agrees() {
    let mut rng = TestRng::new(3);
    let (rows, channels) = (5, 45);
    let x = narrow(&rng.normals(rows * channels, 1.0));
    let (w, b) = (narrow(&rng.normals(channels, 1.0)), narrow(&rng.normals(channels, 1.0)));
    let want = reference::forward(&widen(&x), &widen(&w), &widen(&b), EPS);
    let [want_dx, want_dw, _] = reference::backward(&widen(&x), &widen(&w), &widen(&x), EPS);
    for isa in Isa::available() {
        let y = forward(isa, &x, &w, &b, EPS as f32);
        close(&y, &want, PARITY_L2, PARITY_MAX).expect("forward");
        let [dx, dw, _] = backward(isa, &x, &w, &x, EPS as f32);
        close(&dx, &want_dx, 1e-4, 1e-3).expect("dx: small beside what cancels");
        close(&dw, &want_dw, PARITY_L2, PARITY_MAX).expect("dw");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    use crate::graph::{DType, Device, Tensor};
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let e = layer_norm(&zeros(&[2, 3]), &zeros(&[4]), &zeros(&[4]), EPS).expect_err("another extent");
    assert!(e.to_string().contains("layer_norm"), "{e}");
}
