use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{Device, Tensor};
use crate::ops::check::{
    FdOptions, PARITY_L2, PARITY_MAX, TestRng, bit_equal, close, finite_difference, narrow, widen,
};
use crate::simd::Isa;

const EPS: f64 = 1e-5;

fn data(rows: usize, channels: usize) -> [Vec<f64>; 4] {
    let mut rng = TestRng::new((rows * 100 + channels) as u64);
    let x = rng.normals(rows * channels, 2.0).iter().map(|x| x + 0.7).collect();
    [x, rng.normals(channels, 1.0), rng.normals(channels, 1.0), rng.normals(rows * channels, 1.0)]
}

fn given(channels: usize) -> [Vec<f64>; 2] {
    let mut rng = TestRng::new(channels as u64);
    [rng.normals(channels, 1.0), rng.uniforms(channels, 0.1, 2.0)].map(|v| widen(&narrow(&v)))
}

#[test]
fn gradients_match_finite_differences() {
    let [x, w, b, dy] = data(6, 3);
    let fixed = given(3);
    for given in [None, Some(&fixed)] {
        let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
            reference::forward(x, w, b, given, EPS).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
        };
        let [dx, dw, db] = reference::backward(&x, &w, &dy, given, EPS);
        finite_difference(|x| loss(x, &w, &b), &x, &dx, FdOptions::default()).expect("dx");
        finite_difference(|w| loss(&x, w, &b), &w, &dw, FdOptions::default()).expect("dw");
        finite_difference(|b| loss(&x, &w, b), &b, &db, FdOptions::default()).expect("db");
    }
}

#[test]
fn the_op_matches_the_reference() {
    for (batch, height, width, channels) in [(2, 1, 1, 1), (2, 3, 5, 7), (1, 9, 31, 33), (3, 10, 10, 64)] {
        let [x, w, b, _] = data(batch * height * width, channels);
        let fixed = given(channels);
        let [mean, variance] = [narrow(&fixed[0]), narrow(&fixed[1])];
        let shapes: [&[usize]; 3] = [&[batch, height, width, channels], &[channels], &[channels]];
        let inputs: [(&[f64], &[usize]); 3] = [(&x, shapes[0]), (&w, shapes[1]), (&b, shapes[2])];
        if batch * height * width > 2 {
            agrees(Case {
                inputs: &inputs,
                op: &|t| Ok(batch_norm(&t[0], &t[1], &t[2], EPS)?.0),
                forward: &|v| reference::forward(&v[0], &v[1], &v[2], None, EPS),
                backward: &|v, dy| reference::backward(&v[0], &v[1], dy, None, EPS).to_vec(),
            });
        }
        agrees(Case {
            inputs: &inputs,
            op: &|t| normalize(&t[0], &t[1], &t[2], &mean, &variance, EPS),
            forward: &|v| reference::forward(&v[0], &v[1], &v[2], Some(&fixed), EPS),
            backward: &|v, dy| reference::backward(&v[0], &v[1], dy, Some(&fixed), EPS).to_vec(),
        });
    }
}

/// A mean of ten thousand deviations, and a first value far from all others.
#[test]
fn a_large_mean_costs_no_digits() {
    for isa in Isa::available() {
        let [x, w, b, dy] = data(700, 19);
        let mut x: Vec<f32> = x.iter().map(|x| (x + 2e4) as f32).collect();
        x[..19].fill(2.1e4);
        let (w, b, dy) = (narrow(&w), narrow(&b), narrow(&dy));
        let [wx, ww, wb, wdy] = [&x, &w, &b, &dy].map(|v| widen(v));
        let of = statistics(isa, &x, 19);
        let [mean, variance] = reference::statistics(&wx, 19);
        // Finer than f32 could hold it.
        close(&of.mean, &mean, 1e-8, 1e-8).expect("mean");
        close(&of.variance, &variance, 1e-6, 1e-6).expect("variance");
        let mut y = vec![0.0; x.len()];
        apply(isa, &x, &of, EPS, &w, &b, &mut y);
        let want = reference::forward(&wx, &ww, &wb, None, EPS);
        close(&y, &want, PARITY_L2, PARITY_MAX).expect("y");
        let mut dx = vec![0.0; x.len()];
        let [dw, db] = backward(isa, &x, &of, EPS, &w, &dy, Some(&mut dx));
        let want = reference::backward(&wx, &ww, &wdy, None, EPS);
        for (got, want) in [&dx, &dw, &db].into_iter().zip(&want) {
            close(got, want, PARITY_L2, PARITY_MAX).expect("a gradient");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let [x, w, b, dy] = data(3000, 40).map(|v| narrow(&v));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let of = statistics(Isa::best(), &x, 40);
            let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            apply(Isa::best(), &x, &of, EPS, &w, &b, &mut y);
            let [dw, db] = backward(Isa::best(), &x, &of, EPS, &w, &dy, Some(&mut dx));
            [y, dx, dw, db]
        })
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        for (a, b) in one.iter().zip(run(threads)) {
            bit_equal(a, &b).expect("the same");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let tensor = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).expect("ones");
    let (w, x) = (tensor(&[3]), tensor(&[2, 2, 2, 3]));
    assert!(batch_norm(&tensor(&[2, 2, 4]), &w, &w, EPS).is_err());
    assert!(batch_norm(&x, &w, &tensor(&[4]), EPS).is_err());
    let refused = batch_norm(&tensor(&[1, 1, 1, 3]), &w, &w, EPS).map(|_| ()).expect_err("refused");
    assert!(refused.to_string().contains("1 values of each channel"), "{refused}");
    assert!(normalize(&x, &w, &w, &[0.0; 3], &[1.0; 2], EPS).is_err());
    normalize(&tensor(&[1, 1, 1, 3]), &w, &w, &[0.0; 3], &[1.0; 3], EPS).expect("one value in evaluation");
}
