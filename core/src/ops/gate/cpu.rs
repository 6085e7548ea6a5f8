//! The gate and its gradient: the norms of rows of features, then registers of samples.

use super::TINY;
use crate::simd::{Isa, Kernel, Simd, math};

/// The gates of `n` rows of features. Columns beyond the features must be zero.
///
/// # Panics
/// If a slice is too short, or the stride is not whole registers.
pub fn forward(isa: Isa, alpha: f32, n: usize, v: &[f32], stride: usize, gate: &mut [f32]) {
    check(n, gate.len(), v.len(), stride);
    isa.run(Forward { alpha, n, v, stride, gate });
}

/// Adds the gradient of the features to `d_v`, from that of the gate.
///
/// # Panics
/// If a slice is too short, or the stride is not whole registers.
pub fn backward(isa: Isa, alpha: f32, n: usize, v: &[f32], stride: usize, d_gate: &[f32], d_v: &mut [f32]) {
    check(n, d_gate.len(), v.len().min(d_v.len()), stride);
    isa.run(Backward { alpha, n, v, stride, d_gate, d_v });
}

fn check(n: usize, gates: usize, rows: usize, stride: usize) {
    assert!(stride.is_multiple_of(16) && gates >= n && rows >= n * stride, "gate: {n} rows of {stride}");
}

/// Norms of up to a register of rows from `at` on.
#[inline(always)]
unsafe fn norms<S: Simd>(s: S, v: &[f32], stride: usize, at: usize, many: usize) -> S::F {
    let mut square = [0.0f32; 16];
    for (i, square) in square[..many].iter_mut().enumerate() {
        let (row, mut sum) = ((at + i) * stride, s.splat(0.0));
        for c in (row..row + stride).step_by(S::LANES) {
            // SAFETY: the caller has checked that the row exists.
            let v = unsafe { s.load(v.as_ptr().add(c)) };
            sum = s.fma(v, v, sum);
        }
        *square = s.reduce_add(sum);
    }
    // SAFETY: the array holds the widest register.
    s.sqrt(s.add(unsafe { s.load(square.as_ptr()) }, s.splat(TINY)))
}

struct Forward<'a> {
    alpha: f32,
    n: usize,
    v: &'a [f32],
    stride: usize,
    gate: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { alpha, n, v, stride, gate } = self;
        let mut out = [0.0f32; 16];
        for at in (0..n).step_by(S::LANES) {
            let many = S::LANES.min(n - at);
            // SAFETY: `check` has found n rows; the array holds the widest register.
            unsafe {
                let x = s.mul(s.splat(alpha), norms(s, v, stride, at, many));
                s.store(out.as_mut_ptr(), math::tanh(s, x));
            }
            gate[at..at + many].copy_from_slice(&out[..many]);
        }
    }
}

struct Backward<'a> {
    alpha: f32,
    n: usize,
    v: &'a [f32],
    stride: usize,
    d_gate: &'a [f32],
    d_v: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { alpha, n, v, stride, d_gate, d_v } = self;
        let mut factor = [0.0f32; 16];
        for at in (0..n).step_by(S::LANES) {
            let many = S::LANES.min(n - at);
            factor[..many].copy_from_slice(&d_gate[at..at + many]);
            // SAFETY: as in `Forward`.
            unsafe {
                let norm = norms(s, v, stride, at, many);
                // 1 - tanh^2 x = 4 e / (1 + e)^2 with e = exp(-2 x): no cancellation where the gate is open.
                let e = math::exp(s, s.mul(s.splat(-2.0 * alpha), norm));
                let one_e = s.add(s.splat(1.0), e);
                let slope = s.div(s.mul(s.splat(4.0 * alpha), e), s.mul(one_e, one_e));
                let d = s.mul(s.load(factor.as_ptr()), s.div(slope, norm));
                s.store(factor.as_mut_ptr(), d);
                for (i, factor) in factor[..many].iter().enumerate() {
                    let (factor, row) = (s.splat(*factor), (at + i) * stride);
                    for c in (row..row + stride).step_by(S::LANES) {
                        let d = s.fma(factor, s.load(v.as_ptr().add(c)), s.load(d_v.as_ptr().add(c)));
                        s.store(d_v.as_mut_ptr().add(c), d);
                    }
                }
            }
        }
    }
}
