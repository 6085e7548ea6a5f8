use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, TestRng, finite_difference};

#[test]
fn gradients_match_finite_differences() {
    let mut rng = TestRng::new(1);
    let (x, w, b, dy) = (rng.normals(12, 1.0), rng.normals(8, 1.0), rng.normals(2, 1.0), rng.normals(6, 1.0));
    let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
        reference::forward(x, w, Some(b), 4).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    let [dx, dw, db] = reference::backward(&x, &w, &dy, 4);
    finite_difference(|x| loss(x, &w, &b), &x, &dx, FdOptions::default()).expect("dx");
    finite_difference(|w| loss(&x, w, &b), &w, &dw, FdOptions::default()).expect("dw");
    finite_difference(|b| loss(&x, &w, b), &b, &db, FdOptions::default()).expect("db");
}

#[test]
fn the_op_matches_the_reference() {
    for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (130, 48, 33), (300, 64, 96)] {
        let mut rng = TestRng::new(rows as u64);
        let x = rng.normals(rows * inputs, 1.0);
        let w = rng.normals(outputs * inputs, 1.0);
        let b = rng.normals(outputs, 1.0);
        let shapes: [&[usize]; 3] = [&[rows, inputs], &[outputs, inputs], &[outputs]];
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1]), (&b, shapes[2])],
            op: &|t| linear(&t[0], &t[1], Some(&t[2])),
            forward: &|v| reference::forward(&v[0], &v[1], Some(&v[2]), inputs),
            backward: &|v, dy| reference::backward(&v[0], &v[1], dy, inputs).to_vec(),
        });
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1])],
            op: &|t| linear(&t[0], &t[1], None),
            forward: &|v| reference::forward(&v[0], &v[1], None, inputs),
            backward: &|v, dy| reference::backward(&v[0], &v[1], dy, inputs)[..2].to_vec(),
        });
    }
}

#[test]
fn a_gelu_before_it_is_the_same_as_apart() {
    use crate::ops::gelu::{Form, reference as gelu};
    let (rows, inputs, outputs) = (37, 20, 9);
    let mut rng = TestRng::new(5);
    let (x, w, b) =
        (rng.normals(rows * inputs, 1.0), rng.normals(outputs * inputs, 1.0), rng.normals(outputs, 1.0));
    for form in [Form::Exact, Form::Quick] {
        let map =
            |f: fn(Form, f64) -> f64, x: &[f64]| -> Vec<f64> { x.iter().map(|x| f(form, *x)).collect() };
        agrees(Case {
            inputs: &[(&x, &[rows, inputs]), (&w, &[outputs, inputs]), (&b, &[outputs])],
            op: &|t| linear_of_gelu(&t[0], form, &t[1], Some(&t[2])),
            forward: &|v| reference::forward(&map(gelu::forward, &v[0]), &v[1], Some(&v[2]), inputs),
            backward: &|v, dy| {
                let [mut dx, dw, db] = reference::backward(&map(gelu::forward, &v[0]), &v[1], dy, inputs);
                dx.iter_mut().zip(map(gelu::derivative, &v[0])).for_each(|(d, slope)| *d *= slope);
                vec![dx, dw, db]
            },
        });
    }
}
