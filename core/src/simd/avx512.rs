//! AVX-512 (F, BW, DQ, VL): sixteen lanes, masks in registers.

use super::{Kernel, Simd};
use std::arch::x86_64::*;

/// Sixteen lanes. Obtained from [`super::Isa::run`] only.
#[derive(Clone, Copy)]
pub struct Avx512(());

/// # Safety
/// The CPU has AVX-512 F, BW, DQ and VL, and what [`super::avx2::run`] needs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt,bmi1,bmi2")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

// SAFETY of every block below: a value of this type exists only inside `run`, so the CPU has the instructions;
// memory operands are the caller's promise, and all accesses are unaligned ones.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx512 {
    const LANES: usize = 16;
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;

    #[inline(always)]
    fn splat(self, v: f32) -> Self::F {
        unsafe { _mm512_set1_ps(v) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn splat_i(self, v: u32) -> Self::I {
        unsafe { _mm512_set1_epi32(v as i32) }
    }
    #[inline(always)]
    unsafe fn store_i(self, p: *mut u32, v: Self::I) {
        unsafe { _mm512_storeu_si512(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load_i(self, p: *const u32) -> Self::I {
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_mullo_epi32(a, b) }
    }
    #[inline(always)]
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_xor_si512(a, b) }
    }
    #[inline(always)]
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn shl_i(self, a: Self::I, by: Self::I) -> Self::I {
        unsafe { _mm512_sllv_epi32(a, by) }
    }
    #[inline(always)]
    fn shr_i(self, a: Self::I, by: Self::I) -> Self::I {
        unsafe { _mm512_srlv_epi32(a, by) }
    }
    #[inline(always)]
    fn min_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_min_epi32(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_max_epi32(a, b) }
    }
    #[inline(always)]
    fn select_i(self, m: Self::M, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm512_mask_blend_epi32(m, b, a) }
    }
    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::F {
        unsafe { _mm512_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        unsafe { _mm512_castps_si512(a) }
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        unsafe { _mm512_castsi512_ps(a) }
    }
    #[inline(always)]
    unsafe fn gather_i(self, base: *const u32, i: Self::I) -> Self::I {
        unsafe { _mm512_i32gather_epi32::<4>(i, base.cast()) }
    }
    #[inline(always)]
    fn and_m(self, a: Self::M, b: Self::M) -> Self::M {
        a & b
    }
    #[inline(always)]
    fn or_m(self, a: Self::M, b: Self::M) -> Self::M {
        a | b
    }
    #[inline(always)]
    fn not_m(self, a: Self::M) -> Self::M {
        !a
    }
    #[inline(always)]
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M {
        unsafe { _mm512_cmpeq_epi32_mask(a, b) }
    }
    #[inline(always)]
    fn to_int(self, a: Self::F) -> Self::I {
        unsafe { _mm512_cvttps_epi32(a) }
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        unsafe { _mm512_roundscale_ps::<0x09>(a) }
    }
    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b) }
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        m != 0
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_mask_blend_ps(m, b, a) }
    }
    #[inline(always)]
    fn reduce_add(self, a: Self::F) -> f32 {
        unsafe { _mm512_reduce_add_ps(a) }
    }
    #[inline(always)]
    fn exp2_int(self, n: Self::F) -> Self::F {
        unsafe {
            let e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(e))
        }
    }
    #[inline(always)]
    unsafe fn gather2(self, base: *const f32, i: Self::I) -> (Self::F, Self::F) {
        unsafe {
            let lo = _mm512_i32gather_pd::<8>(_mm512_castsi512_si256(i), base.cast());
            let hi = _mm512_i32gather_pd::<8>(_mm512_extracti64x4_epi64::<1>(i), base.cast());
            deinterleave(_mm512_castpd_ps(lo), _mm512_castpd_ps(hi))
        }
    }
    #[inline(always)]
    unsafe fn gather(self, base: *const f32, i: Self::I) -> Self::F {
        unsafe { _mm512_i32gather_ps::<4>(i, base.cast()) }
    }
    #[inline(always)]
    unsafe fn scatter(self, base: *mut f32, i: Self::I, v: Self::F, m: Self::M) {
        unsafe { _mm512_mask_i32scatter_ps::<4>(base.cast(), m, i, v) }
    }
    #[inline(always)]
    unsafe fn store_interleaved(self, p: *mut f32, a: Self::F, b: Self::F) {
        unsafe {
            let lo = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let hi = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            _mm512_storeu_ps(p, _mm512_permutex2var_ps(a, lo, b));
            _mm512_storeu_ps(p.add(16), _mm512_permutex2var_ps(a, hi, b));
        }
    }
    #[inline(always)]
    unsafe fn load_interleaved(self, p: *const f32) -> (Self::F, Self::F) {
        unsafe { deinterleave(_mm512_loadu_ps(p), _mm512_loadu_ps(p.add(16))) }
    }
    #[inline(always)]
    fn transpose_pairs(self, r: &mut [Self::F; 8]) {
        unsafe {
            let low = |a, b| _mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b));
            let high = |a, b| _mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b));
            // 128-bit groups 0 and 2 of both, or 1 and 3.
            let even = |a, b| _mm512_shuffle_f64x2::<0x88>(a, b);
            let odd = |a, b| _mm512_shuffle_f64x2::<0xdd>(a, b);
            let (a, b, c, d) = (low(r[0], r[1]), low(r[2], r[3]), low(r[4], r[5]), low(r[6], r[7]));
            let (e, f, g, h) = (high(r[0], r[1]), high(r[2], r[3]), high(r[4], r[5]), high(r[6], r[7]));
            let (p, q, s, t) = (even(a, b), even(c, d), odd(a, b), odd(c, d));
            let (u, v, w, x) = (even(e, f), even(g, h), odd(e, f), odd(g, h));
            r[0] = _mm512_castpd_ps(even(p, q));
            r[1] = _mm512_castpd_ps(even(u, v));
            r[2] = _mm512_castpd_ps(even(s, t));
            r[3] = _mm512_castpd_ps(even(w, x));
            r[4] = _mm512_castpd_ps(odd(p, q));
            r[5] = _mm512_castpd_ps(odd(u, v));
            r[6] = _mm512_castpd_ps(odd(s, t));
            r[7] = _mm512_castpd_ps(odd(w, x));
        }
    }
}

/// Even and odd values of two registers.
///
/// # Safety
/// The CPU has AVX-512 F.
#[inline(always)]
unsafe fn deinterleave(lo: __m512, hi: __m512) -> (__m512, __m512) {
    // SAFETY: register-only instructions of AVX-512 F, which the caller vouches for.
    unsafe {
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        (_mm512_permutex2var_ps(lo, even, hi), _mm512_permutex2var_ps(lo, odd, hi))
    }
}
