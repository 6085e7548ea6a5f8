#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{FdOptions, TestRng, finite_difference, narrow, widen};
use crate::simd::Isa;

const COLUMNS: usize = 20;
const STRIDE: usize = 32;

/// Rows whose norms lie where the gate closes, around it, and far on both sides; the last is zero.
fn rows(alpha: f64, rng: &mut TestRng) -> Vec<f32> {
    let mut rows = Vec::new();
    for size in [1e-4, 1e-2, 0.1, 0.3, 0.55, 1.0, 2.0, 5.0, 30.0, 1e4, 0.0] {
        let direction = rng.normals(COLUMNS, 1.0);
        let n = reference::norm(&direction);
        rows.extend(direction.iter().map(|d| (d * size / (alpha * n)) as f32));
        rows.extend([0.0; STRIDE - COLUMNS]);
    }
    rows
}

#[test]
fn gates_and_their_gradients_are_the_references() {
    for alpha in [1.0f32, 1e4, 1e5] {
        let mut rng = TestRng::new(3);
        let v = rows(alpha.into(), &mut rng);
        let n = v.len() / STRIDE;
        let d_gate = narrow(&rng.normals(n, 1.0));
        for isa in Isa::available() {
            let (mut gate, mut d_v) = (vec![f32::NAN; n], vec![0.0; v.len()]);
            forward(isa, alpha, n, &v, STRIDE, &mut gate);
            backward(isa, alpha, n, &v, STRIDE, &d_gate, &mut d_v);
            for i in 0..n {
                let row = widen(&v[i * STRIDE..(i + 1) * STRIDE]);
                let want = reference::forward(alpha.into(), &row);
                assert!((f64::from(gate[i]) - want).abs() <= 3e-6 * want, "{isa:?} {i}: {} {want}", gate[i]);
                let want = reference::backward(alpha.into(), &row, d_gate[i].into());
                let size = want.iter().fold(0.0f64, |m, d| m.max(d.abs()));
                for (d, want) in d_v[i * STRIDE..].iter().zip(&want) {
                    // exp saturates: a slope of 1e-38 alpha / n is left where none should be.
                    let error = (f64::from(*d) - want).abs();
                    assert!(error <= 2e-5 * size + 1e-20, "{isa:?} {alpha} {i}: {d} {want}");
                }
            }
        }
    }
}

/// Near its kink at zero features, on its slope, and where it is open.
#[test]
fn the_references_gradient_matches_differences() {
    let mut rng = TestRng::new(4);
    for (alpha, size) in [(1e4, 1e-7), (1e4, 3e-5), (1e4, 1e-4), (1e5, 1e-6), (1e5, 1e-5), (1.0, 0.5)] {
        // In units of the size, so that steps are small against it.
        let x = rng.normals(6, 1.0);
        let scaled = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x * size).collect() };
        let slope: Vec<f64> = reference::backward(alpha, &scaled(&x), 1.3).iter().map(|d| d * size).collect();
        let f = |x: &[f64]| 1.3 * reference::forward(alpha, &scaled(x));
        finite_difference(f, &x, &slope, FdOptions::default()).unwrap();
    }
}

#[test]
fn nothing_is_let_through_where_there_is_nothing() {
    for isa in Isa::available() {
        let (v, mut gate, mut d_v) = (vec![0.0; STRIDE], [f32::NAN], vec![0.0; STRIDE]);
        forward(isa, 1e5, 1, &v, STRIDE, &mut gate);
        assert!(gate[0] < 1e-9, "{isa:?}: {}", gate[0]);
        backward(isa, 1e5, 1, &v, STRIDE, &[1e3], &mut d_v);
        assert!(d_v.iter().all(|d| *d == 0.0));
    }
}
