//! Exponential, sigmoid and error function of a register of values.

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

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let e = exp(s, s.sub(s.splat(0.0), x));
    s.div(s.splat(1.0), s.add(s.splat(1.0), e))
}

/// `tanh(x)` for `x >= 0`, within 1e-6 of its size.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    // Small arguments by the series, whose next term is 1e-8 at the switch.
    let x2 = s.mul(x, x);
    let mut p = s.splat(-1382.0 / 155_925.0);
    for c in [62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0] {
        p = s.fma(p, x2, s.splat(c));
    }
    let e = exp(s, s.mul(s.splat(-2.0), x));
    let (one, small) = (s.splat(1.0), s.gt(s.splat(0.3), x));
    s.select(small, s.mul(x, p), s.div(s.sub(one, e), s.add(one, e)))
}

/// `erf(x)` within 4e-7: an odd polynomial over an even one (the coefficients that XNNPACK and Eigen use), and 1 or -1
/// from 3.9 on, where it is that within 4e-8.
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::F) -> S::F {
    let x = s.max(s.min(x, s.splat(4.0)), s.splat(-4.0));
    let square = s.mul(x, x);
    let far = s.gt(square, s.splat(3.9 * 3.9));
    let mut p = s.splat(-2.726_142_3e-10);
    for c in [2.770_681_4e-8, -2.101_024e-6, -5.692_506_4e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2] {
        p = s.fma(p, square, s.splat(c));
    }
    let mut q = s.splat(-1.456_607_2e-5);
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2] {
        q = s.fma(q, square, s.splat(c));
    }
    let sign = s.max(s.min(x, s.splat(1.0)), s.splat(-1.0));
    s.select(far, sign, s.div(s.mul(x, p), q))
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

    struct Tanh<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for Tanh<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for (x, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                // SAFETY: both chunks hold LANES values.
                unsafe { s.store(y.as_mut_ptr(), super::tanh(s, s.load(x.as_ptr()))) };
            }
        }
    }

    #[test]
    fn tanh_is_accurate_on_every_path() {
        let x: Vec<f32> = (0..16384).map(|i| (1e-3 * f64::from(i) - 12.0).exp() as f32).collect();
        for isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            isa.run(Tanh(&x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                let want = f64::from(*x).tanh();
                assert!((f64::from(*y) / want - 1.0).abs() < 1e-6, "{}: tanh({x}) = {y}", isa.name());
            }
        }
    }

    struct Erf<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for Erf<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for (x, y) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                // SAFETY: both chunks hold LANES values.
                unsafe { s.store(y.as_mut_ptr(), super::erf(s, s.load(x.as_ptr()))) };
            }
        }
    }

    #[test]
    fn erf_is_accurate_on_every_path() {
        let x: Vec<f32> = (0..16384).map(|i| (i as f32 - 8192.0) * 1e-3).collect();
        for isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            isa.run(Erf(&x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                let want = libm::erf(f64::from(*x));
                assert!((f64::from(*y) - want).abs() < 4e-7, "{}: erf({x}) = {y}", isa.name());
            }
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
