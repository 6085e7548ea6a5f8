use proptest::prelude::*;

use super::*;
use crate::ops::check::{TestRng, narrow};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn agrees_with_f64_in_every_layout(
        m in 1usize..40, n in 1usize..40, k in 0usize..40, pad in 0usize..3, mode in 0..8,
    ) {
        let (ta, tb, accumulate) = (mode & 1 == 1, mode & 2 == 2, mode & 4 == 4);
        let mut rng = TestRng::new(mode as u64);
        let a = narrow(&rng.normals((m + pad) * (k + pad), 1.0));
        let b = narrow(&rng.normals((n + pad) * (k + pad), 1.0));
        let start = narrow(&rng.normals(m * (n + pad), 1.0));
        let va = if ta { MatRef::rows(&a, m + pad).t() } else { MatRef::rows(&a, k + pad) };
        let vb = if tb { MatRef::rows(&b, k + pad).t() } else { MatRef::rows(&b, n + pad) };
        let mut c = start.clone();
        gemm([m, n, k], va, vb, &mut c, n + pad, accumulate);
        for i in 0..m {
            for j in 0..n + pad {
                let at = i * (n + pad) + j;
                if j >= n {
                    prop_assert_eq!(c[at], start[at]);
                    continue;
                }
                let mut want = if accumulate { f64::from(start[at]) } else { 0.0 };
                for l in 0..k {
                    want += f64::from(a[i * va.row + l * va.col]) * f64::from(b[l * vb.row + j * vb.col]);
                }
                prop_assert!((f64::from(c[at]) - want).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn rows_against_rows() {
    let mut rng = TestRng::new(3);
    for [m, n, k] in [[1, 5, 3], [15, 16, 512], [16, 33, 512], [40, 7, 1024], [20, 1, 64]] {
        let (a, b) = (narrow(&rng.normals(m * k, 1.0)), narrow(&rng.normals(n * k, 1.0)));
        let want = product([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, k).t());
        let got = product_by_rows([m, n, k], MatRef::rows(&a, k), &b);
        assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-3), "{m} x {n} x {k}");
        let mut other = vec![0.0; m * n];
        gemm([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, k).t(), &mut other, n, false);
        assert_eq!(want, other);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut rng = TestRng::new(1);
    let [m, n, k] = [150, 200, 700];
    let (a, b) = (narrow(&rng.normals(m * k, 1.0)), narrow(&rng.normals(k * n, 1.0)));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut c = vec![0.0; m * n];
        pool.install(|| gemm([m, n, k], MatRef::rows(&a, k), MatRef::rows(&b, n), &mut c, n, false));
        c
    };
    let one = run(1);
    assert!(run(2) == one && run(3) == one && run(7) == one);
}

#[test]
#[should_panic(expected = "B is too short")]
fn a_short_operand_is_refused() {
    gemm([1, 2, 2], MatRef::rows(&[0.0; 2], 2), MatRef::rows(&[0.0; 3], 2), &mut [0.0; 2], 2, false);
}
