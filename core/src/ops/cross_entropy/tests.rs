use super::cpu::{backward, forward};
use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, PARITY_L2, PARITY_MAX, TestRng, close, finite_difference, narrow, widen};
use crate::simd::Isa;

fn labels(n: usize, classes: usize, rng: &mut TestRng) -> Vec<u8> {
    // Every class, 255, and a label just beyond the classes.
    (0..n).map(|_| [rng.below(classes + 1) as u8, 255][usize::from(rng.below(5) == 0)]).collect()
}

#[test]
fn the_gradient_matches_finite_differences() {
    let mut rng = TestRng::new(1);
    let (x, weights) = (rng.normals(5 * 4, 1.0), [1.0, 0.5, 2.0, 0.1]);
    let labels = [3, 0, 255, 2, 4];
    let (_, dx) = reference::loss(&x, &labels, &weights);
    let loss = |x: &[f64]| reference::loss(x, &labels, &weights).0;
    finite_difference(loss, &x, &dx, FdOptions::default()).expect("dx");
}

#[test]
fn a_value_by_hand() {
    // Two rows that count, weights 1 and 3: (1 ln 2 + 3 ln(1 + e)) / 4.
    let (loss, _) = reference::loss(&[0.0, 0.0, 1.0, 0.0, 9.0, 9.0], &[0, 1, 7], &[1.0, 3.0]);
    assert!((loss - (2f64.ln() + 3.0 * (1.0 + 1f64.exp()).ln()) / 4.0).abs() < 1e-12);
}

#[test]
fn the_op_matches_the_reference() {
    for (rows, classes) in [(1, 2), (37, 11), (5000, 19), (50, 150)] {
        let mut rng = TestRng::new(rows as u64);
        let x = rng.normals(rows * classes, 3.0);
        let mut labels = labels(rows, classes, &mut rng);
        labels[0] = 1;
        let weights = rng.uniforms(classes, 0.1, 2.0);
        let shared: std::sync::Arc<[f32]> = narrow(&weights).into();
        let weights = widen(&shared);
        agrees(Case {
            inputs: &[(&x, &[rows, classes])],
            op: &|t| cross_entropy(&t[0], labels.clone().into(), shared.clone()),
            forward: &|v| vec![reference::loss(&v[0], &labels, &weights).0],
            backward: &|v, dy| {
                let (_, dx) = reference::loss(&v[0], &labels, &weights);
                vec![dx.iter().map(|d| d * dy[0]).collect()]
            },
        });
    }
}

#[test]
fn instruction_sets_and_threads_agree() {
    let mut rng = TestRng::new(4);
    let (rows, classes) = (9000, 7);
    let x = narrow(&rng.normals(rows * classes, 2.0));
    let (labels, weights) = (labels(rows, classes, &mut rng), vec![1.0; classes]);
    let (want, want_dx) = reference::loss(&widen(&x), &labels, &widen(&weights));
    for isa in Isa::available() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let (loss, total) = forward(isa, &x, &labels, &weights);
                (loss, backward(isa, &x, &labels, &weights, total, 1.0))
            })
        };
        let (loss, dx) = run(1);
        assert!((f64::from(loss) - want).abs() < 1e-6 * want);
        close(&dx, &want_dx, PARITY_L2, PARITY_MAX).expect("dx");
        assert!(run(3) == (loss, dx), "threads change the result");
    }
}

#[test]
fn nothing_to_learn_from_is_no_loss() {
    let (loss, total) = forward(Isa::best(), &[1.0, 2.0], &[255], &[1.0, 1.0]);
    let dx = backward(Isa::best(), &[1.0, 2.0], &[255], &[1.0, 1.0], total, 1.0);
    assert_eq!((loss, dx), (0.0, vec![0.0; 2]));
}
