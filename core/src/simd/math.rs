//! Functions built from lanes.

use super::Simd;

/// `exp(x)` within 2 ulp for x in [-87, 88]; outside it saturates to about 1e-38 and 2e38.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, `exp(r)` by a degree-6 Taylor-minimax polynomial (Cephes `expf`).
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.max(s.min(x, s.splat(88.0)), s.splat(-87.0));
    let n = s.floor(s.fma(x, s.splat(std::f32::consts::LOG2_E), s.splat(0.5)));
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    let mut p = s.splat(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1] {
        p = s.fma(p, r, s.splat(c));
    }
    let e = s.fma(s.mul(p, r), r, s.add(r, s.splat(1.0)));
    s.mul(e, s.exp2_int(n))
}

/// `m / (sqrt(v) + eps)` within 3 ulp or so, for v >= 0: two estimates, each refined once, take a third of the time
/// of a division and a root. A v below the normal range counts as its least value.
#[inline(always)]
pub fn over_root<S: Simd>(s: S, m: S::F, v: S::F, eps: S::F) -> S::F {
    let v = s.max(v, s.splat(f32::MIN_POSITIVE));
    // r <- r (1.5 - 0.5 v r^2)
    let r = s.rsqrt(v);
    let half = s.mul(s.mul(v, r), s.splat(-0.5));
    let r = s.mul(r, s.fma(half, r, s.splat(1.5)));
    let d = s.fma(v, r, eps);
    // q <- q (2 - d q)
    let q = s.recip(d);
    let q = s.mul(q, s.sub(s.splat(2.0), s.mul(d, q)));
    s.mul(m, q)
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let e = exp(s, s.sub(s.splat(0.0), x));
    s.div(s.splat(1.0), s.add(s.splat(1.0), e))
}

#[cfg(test)]
mod tests {
    use crate::simd::{Isa, Kernel, Simd};

    struct Apply<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for (x, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                // SAFETY: both chunks hold LANES values.
                unsafe { s.store(y.as_mut_ptr(), super::exp(s, s.load(x.as_ptr()))) };
            }
        }
    }

    struct OverRoot<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for OverRoot<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for (v, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                // SAFETY: both chunks hold LANES values.
                unsafe {
                    let q = super::over_root(s, s.splat(3.0), s.load(v.as_ptr()), s.splat(1e-15));
                    s.store(y.as_mut_ptr(), q);
                }
            }
        }
    }

    #[test]
    fn over_root_is_accurate_on_every_path() {
        let v: Vec<f32> = (0..4096).map(|i| 10f32.powf(-36.0 + 60.0 * i as f32 / 4096.0)).collect();
        for isa in Isa::available() {
            let mut y = vec![0.0; v.len()];
            isa.run(OverRoot(&v, &mut y));
            for (v, y) in v.iter().zip(&y) {
                let want = 3.0 / (f64::from(*v).sqrt() + 1e-15);
                assert!((f64::from(*y) / want - 1.0).abs() < 5e-7, "{}: {v} {y} {want}", isa.name());
            }
            isa.run(OverRoot(&[0.0; 16], &mut y[..16]));
            assert!(y[0].is_finite() && y[0] > 1e15, "{}", y[0]);
        }
    }

    #[test]
    fn exp_is_accurate_on_every_path() {
        let x: Vec<f32> = (0..16384).map(|i| -87.0 + 175.0 * i as f32 / 16384.0).collect();
        for isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            isa.run(Apply(&x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                let want = f64::from(*x).exp();
                assert!((f64::from(*y) / want - 1.0).abs() < 3e-7, "{}: exp({x}) = {y}", isa.name());
            }
        }
    }
}
