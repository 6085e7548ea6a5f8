use super::*;
use crate::ops::check::TestRng;
use crate::ops::small_gemm::Epilogue;

fn bf16(v: f32) -> f64 {
    f32::from_bits(u32::from(round(v)) << 16).into()
}

fn skipped() -> bool {
    if !available() {
        println!("skipped: this CPU has no AMX with bf16");
    }
    !available()
}

fn values(rng: &mut TestRng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.normal() as f32).collect()
}

#[test]
fn rounding_is_to_nearest_even() {
    for (bits, want) in [(0x3f80_8000u32, 0x3f80), (0x3f81_8000, 0x3f82), (0x3f80_8001, 0x3f81), (0, 0)] {
        assert_eq!(round(f32::from_bits(bits)), want);
    }
}

#[test]
fn products_are_those_of_the_rounded_values() {
    if skipped() {
        return;
    }
    let mut rng = TestRng::new(1);
    for (m, k, n) in
        [(16usize, 32usize, 16usize), (37, 16, 64), (64, 64, 64), (5, 3, 64), (100, 48, 48), (33, 128, 128)]
    {
        let (lda, ldc) = (crate::ops::small_gemm::padded(k), n + 16);
        let rows = m.next_multiple_of(16);
        let mut a = values(&mut rng, rows * lda);
        a.chunks_exact_mut(lda).for_each(|row| row[k..].fill(0.0));
        let (b, h) = (values(&mut rng, k * n), values(&mut rng, rows * n));
        let mut packed = Packed::default();
        packed.pack(&b, n, k, n);
        let mut c = vec![7.0; rows * ldc];
        product(m, k, &a, lda, &packed, &mut c, ldc, true, Epilogue::MaskBy(&h, n));
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|d| bf16(a[i * lda + d]) * bf16(b[d * n + j])).sum();
                let want = if h[i * n + j] > 0.0 { 7.0 + sum } else { 0.0 };
                let got = f64::from(c[i * ldc + j]);
                assert!((got - want).abs() < 1e-4, "{m} {k} {n} ({i},{j}): {got} {want}");
            }
            assert_eq!(c[i * ldc + n], 7.0);
        }
    }
}

#[test]
fn outer_products_are_those_of_the_rounded_values() {
    if skipped() {
        return;
    }
    let mut rng = TestRng::new(2);
    for (m, n, k) in [(16usize, 16usize, 32usize), (64, 32, 500), (3, 64, 77), (48, 128, 1), (64, 64, 512)] {
        let (lda, ldb, ldg) = (crate::ops::small_gemm::padded(m), n, n + 16);
        let (a, b) = (values(&mut rng, k * lda), values(&mut rng, k * ldb));
        let mut g = vec![1.0; m * ldg];
        outer(m, n, k, &a, lda, &b, ldb, &mut g, ldg);
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|p| bf16(a[p * lda + i]) * bf16(b[p * ldb + j])).sum();
                let got = f64::from(g[i * ldg + j]) - 1.0;
                assert!((got - sum).abs() < 1e-3, "{m} {n} {k} ({i},{j}): {got} {sum}");
            }
        }
    }
}
