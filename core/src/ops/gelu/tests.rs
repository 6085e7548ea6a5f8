use super::cpu::backward;
use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, TestRng, finite_difference};
use crate::simd::Isa;

const FORMS: [Form; 3] = [Form::Exact, Form::Tanh, Form::Quick];

#[test]
fn known_values() {
    // PyTorch: gelu(1), gelu(1, approximate='tanh'), 1 * sigmoid(1.702).
    for (form, want) in FORMS.into_iter().zip([0.841_344_746, 0.841_191_991, 0.845_795_769]) {
        assert!((reference::forward(form, 1.0) - want).abs() < 1e-8, "{form:?}");
    }
}

#[test]
fn derivatives_match_finite_differences() {
    let x = TestRng::new(1).normals(20, 2.0);
    for form in FORMS {
        let slope: Vec<f64> = x.iter().map(|x| reference::derivative(form, *x)).collect();
        let sum = |x: &[f64]| x.iter().map(|x| reference::forward(form, *x)).sum();
        finite_difference(sum, &x, &slope, FdOptions::default()).expect("the derivative");
    }
}

#[test]
fn the_ops_match_the_reference() {
    let ops = [gelu, gelu_tanh, quick_gelu];
    for (form, op) in FORMS.into_iter().zip(ops) {
        for n in [1, 15, 16, 1003] {
            let x = TestRng::new(n as u64).normals(n, 3.0);
            agrees(Case {
                inputs: &[(&x, &[n])],
                op: &|t| op(&t[0]),
                forward: &|v| v[0].iter().map(|x| reference::forward(form, *x)).collect(),
                backward: &|v, dy| {
                    vec![v[0].iter().zip(dy).map(|(x, dy)| reference::derivative(form, *x) * dy).collect()]
                },
            });
        }
    }
}

#[test]
fn far_values_are_right_on_every_path() {
    let x: Vec<f32> = (-2000..2000).map(|i| i as f32 * 0.01).chain([-1e4, 1e4, -0.0, 1e-30]).collect();
    for isa in Isa::available() {
        for form in FORMS {
            let y = forward(isa, form, &x);
            let dx = backward(isa, form, &x, &vec![1.0; x.len()]);
            for ((x, y), dx) in x.iter().zip(&y).zip(&dx) {
                let wide = f64::from(*x);
                let (want, slope) = (reference::forward(form, wide), reference::derivative(form, wide));
                assert!(
                    (f64::from(*y) - want).abs() < 1e-6 * want.abs().max(1.0),
                    "{form:?} {x}: {y}, not {want}"
                );
                assert!((f64::from(*dx) - slope).abs() < 2e-6, "{form:?} {x}: {dx}, not {slope}");
            }
        }
    }
}
