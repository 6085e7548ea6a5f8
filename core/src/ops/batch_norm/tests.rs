use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{Device, Tensor};
use crate::ops::check::{
    FdOptions, PARITY_L2, PARITY_MAX, TestRng, bit_equal, close, finite_difference, narrow, widen,
};
use crate::ops::gelu::Form;
use crate::simd::Isa;

const EPS: f64 = 1e-5;
const FORMS: [Form; 3] = [Form::Exact, Form::Tanh, Form::Quick];

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
                op: &|t| Ok(batch_norm(&t[0], &t[1], &t[2], EPS, None)?.0),
                forward: &|v| reference::forward(&v[0], &v[1], &v[2], None, EPS),
                backward: &|v, dy| reference::backward(&v[0], &v[1], dy, None, EPS).to_vec(),
            });
        }
        agrees(Case {
            inputs: &inputs,
            op: &|t| normalize(&t[0], &t[1], &t[2], &mean, &variance, EPS, None),
            forward: &|v| reference::forward(&v[0], &v[1], &v[2], Some(&fixed), EPS),
            backward: &|v, dy| reference::backward(&v[0], &v[1], dy, Some(&fixed), EPS).to_vec(),
        });
    }
}

#[test]
fn gradients_through_an_activation_match_finite_differences() {
    let [x, w, b, dy] = data(6, 3);
    let fixed = given(3);
    for (given, form) in [None, Some(&fixed)].into_iter().flat_map(|given| FORMS.map(|form| (given, form))) {
        let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
            reference::forward_gelu(x, w, b, given, EPS, form).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
        };
        let [dx, dw, db] = reference::backward_gelu([&x, &w, &b], &dy, given, EPS, form);
        finite_difference(|x| loss(x, &w, &b), &x, &dx, FdOptions::default()).expect("dx");
        finite_difference(|w| loss(&x, w, &b), &w, &dw, FdOptions::default()).expect("dw");
        finite_difference(|b| loss(&x, &w, b), &b, &db, FdOptions::default()).expect("db");
    }
}

/// Rows of more than one chunk, of more than one block, and a row wider than a block.
#[test]
fn the_activated_op_matches_the_reference() {
    for (rows, channels) in [(40, 1), (30, 7), (279, 33), (300, 64), (5, 4099)] {
        let [x, w, b, _] = data(rows, channels);
        let fixed = given(channels);
        let [mean, variance] = [narrow(&fixed[0]), narrow(&fixed[1])];
        for form in FORMS {
            let case = |given: Option<&[Vec<f64>; 2]>| {
                agrees(Case {
                    inputs: &[(&x, &[rows, channels]), (&w, &[channels]), (&b, &[channels])],
                    op: &|t| match given {
                        None => Ok(batch_norm(&t[0], &t[1], &t[2], EPS, Some(form))?.0),
                        Some(_) => normalize(&t[0], &t[1], &t[2], &mean, &variance, EPS, Some(form)),
                    },
                    forward: &|v| reference::forward_gelu(&v[0], &v[1], &v[2], given, EPS, form),
                    backward: &|v, dy| {
                        reference::backward_gelu([&v[0], &v[1], &v[2]], dy, given, EPS, form).to_vec()
                    },
                });
            };
            case(None);
            case(Some(&fixed));
        }
    }
}

/// Beside the op on every path: weights have their gradients without one of x too.
#[test]
fn activated_on_every_path() {
    let [x, w, b, dy] = data(700, 19).map(|v| narrow(&v));
    let [wx, ww, wb, wdy] = [&x, &w, &b, &dy].map(|v| widen(v));
    let want = reference::forward_gelu(&wx, &ww, &wb, None, EPS, Form::Exact);
    let gradients = reference::backward_gelu([&wx, &ww, &wb], &wdy, None, EPS, Form::Exact);
    for isa in Isa::available() {
        let of = statistics(isa, &x, 19);
        let of = Normalization { statistics: &of, eps: EPS, w: &w, b: &b, activation: Some(Form::Exact) };
        let y = apply(isa, &x, &of);
        close(&y, &want, PARITY_L2, PARITY_MAX).expect("y");
        let ([dw, db], dx) = backward(isa, &x, &of, &dy, true);
        let dx = dx.expect("dx");
        for (got, want) in [&dx, &dw, &db].into_iter().zip(&gradients) {
            close(got, want, PARITY_L2, PARITY_MAX).expect("a gradient");
        }
        let (without, none) = backward(isa, &x, &of, &dy, false);
        assert!(none.is_none());
        for (got, with) in without.iter().zip([&dw, &db]) {
            bit_equal(got, with).expect("the same without dx");
        }
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
        let of = Normalization { statistics: &of, eps: EPS, w: &w, b: &b, activation: None };
        let y = apply(isa, &x, &of);
        let want = reference::forward(&wx, &ww, &wb, None, EPS);
        close(&y, &want, PARITY_L2, PARITY_MAX).expect("y");
        let ([dw, db], dx) = backward(isa, &x, &of, &dy, true);
        let dx = dx.expect("dx");
        let want = reference::backward(&wx, &ww, &wdy, None, EPS);
        for (got, want) in [&dx, &dw, &db].into_iter().zip(&want) {
            close(got, want, PARITY_L2, PARITY_MAX).expect("a gradient");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let [x, w, b, dy] = data(3000, 40).map(|v| narrow(&v));
    let run = |threads, activation| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let of = statistics(Isa::best(), &x, 40);
            let of = Normalization { statistics: &of, eps: EPS, w: &w, b: &b, activation };
            let ([dw, db], dx) = backward(Isa::best(), &x, &of, &dy, true);
            [apply(Isa::best(), &x, &of), dx.expect("dx"), dw, db]
        })
    };
    for activation in [None, Some(Form::Exact)] {
        let one = run(1, activation);
        for threads in [2, 3, 7] {
            for (a, b) in one.iter().zip(run(threads, activation)) {
                bit_equal(a, &b).expect("the same");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let tensor = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).expect("ones");
    let (w, x) = (tensor(&[3]), tensor(&[2, 2, 2, 3]));
    assert!(batch_norm(&tensor(&[2, 2, 4]), &w, &w, EPS, None).is_err());
    assert!(batch_norm(&x, &w, &tensor(&[4]), EPS, None).is_err());
    let refused = batch_norm(&tensor(&[1, 1, 1, 3]), &w, &w, EPS, None).map(|_| ()).expect_err("refused");
    assert!(refused.to_string().contains("1 values of each channel"), "{refused}");
    assert!(normalize(&x, &w, &w, &[0.0; 3], &[1.0; 2], EPS, None).is_err());
    normalize(&tensor(&[1, 1, 1, 3]), &w, &w, &[0.0; 3], &[1.0; 3], EPS, None)
        .expect("one value in evaluation");
}
