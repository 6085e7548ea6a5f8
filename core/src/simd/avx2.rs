//! AVX2 and FMA: eight lanes, masks as sign bits.

use super::{Kernel, Simd};
use std::arch::x86_64::*;

/// Eight lanes. Obtained from [`super::Isa::run`] only.
#[derive(Clone, Copy)]
pub struct Avx2(());

/// # Safety
/// The CPU has AVX2, FMA, POPCNT, BMI1 and BMI2.
#[target_feature(enable = "avx2,fma,popcnt,bmi1,bmi2")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

// SAFETY of every block below: a value of this type exists only inside `run`, so the CPU has the instructions;
// memory operands are the caller's promise, and all accesses are unaligned ones.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Avx2 {
    const LANES: usize = 8;
    type F = __m256;
    type I = __m256i;
    type M = __m256;

    #[inline(always)]
    fn splat(self, v: f32) -> Self::F {
        unsafe { _mm256_set1_ps(v) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    fn splat_i(self, v: u32) -> Self::I {
        unsafe { _mm256_set1_epi32(v as i32) }
    }
    #[inline(always)]
    unsafe fn store_i(self, p: *mut u32, v: Self::I) {
        unsafe { _mm256_storeu_si256(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load_i(self, p: *const u32) -> Self::I {
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_mullo_epi32(a, b) }
    }
    #[inline(always)]
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_xor_si256(a, b) }
    }
    #[inline(always)]
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_or_si256(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn shl_i(self, a: Self::I, by: Self::I) -> Self::I {
        unsafe { _mm256_sllv_epi32(a, by) }
    }
    #[inline(always)]
    fn shr_i(self, a: Self::I, by: Self::I) -> Self::I {
        unsafe { _mm256_srlv_epi32(a, by) }
    }
    #[inline(always)]
    fn min_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_min_epi32(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_max_epi32(a, b) }
    }
    #[inline(always)]
    fn select_i(self, m: Self::M, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), m)) }
    }
    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::F {
        unsafe { _mm256_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        unsafe { _mm256_castps_si256(a) }
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        unsafe { _mm256_castsi256_ps(a) }
    }
    #[inline(always)]
    fn and_m(self, a: Self::M, b: Self::M) -> Self::M {
        unsafe { _mm256_and_ps(a, b) }
    }
    #[inline(always)]
    fn or_m(self, a: Self::M, b: Self::M) -> Self::M {
        unsafe { _mm256_or_ps(a, b) }
    }
    #[inline(always)]
    fn not_m(self, a: Self::M) -> Self::M {
        unsafe { _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))) }
    }
    #[inline(always)]
    unsafe fn gather_i(self, base: *const u32, i: Self::I) -> Self::I {
        unsafe { _mm256_i32gather_epi32::<4>(base.cast(), i) }
    }
    #[inline(always)]
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M {
        unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)) }
    }
    #[inline(always)]
    fn to_int(self, a: Self::F) -> Self::I {
        unsafe { _mm256_cvttps_epi32(a) }
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        unsafe { _mm256_floor_ps(a) }
    }
    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b) }
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        unsafe { _mm256_movemask_ps(m) != 0 }
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm256_blendv_ps(b, a, m) }
    }
    #[inline(always)]
    fn reduce_add(self, a: Self::F) -> f32 {
        unsafe {
            let h = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let h = _mm_add_ps(h, _mm_movehl_ps(h, h));
            _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)))
        }
    }
    #[inline(always)]
    fn exp2_int(self, n: Self::F) -> Self::F {
        unsafe {
            let e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(e))
        }
    }
    #[inline(always)]
    unsafe fn gather2(self, base: *const f32, i: Self::I) -> (Self::F, Self::F) {
        unsafe {
            let lo = _mm256_i32gather_pd::<8>(base.cast(), _mm256_castsi256_si128(i));
            let hi = _mm256_i32gather_pd::<8>(base.cast(), _mm256_extracti128_si256::<1>(i));
            deinterleave(_mm256_castpd_ps(lo), _mm256_castpd_ps(hi))
        }
    }
    #[inline(always)]
    unsafe fn gather(self, base: *const f32, i: Self::I) -> Self::F {
        unsafe { _mm256_i32gather_ps::<4>(base, i) }
    }
    #[inline(always)]
    unsafe fn scatter(self, base: *mut f32, i: Self::I, v: Self::F, m: Self::M) {
        unsafe {
            let (mut index, mut value) = ([0u32; 8], [0.0f32; 8]);
            self.store_i(index.as_mut_ptr(), i);
            self.store(value.as_mut_ptr(), v);
            let mut left = _mm256_movemask_ps(m) as u32;
            while left != 0 {
                let lane = left.trailing_zeros() as usize & 7;
                *base.add(index[lane] as usize) = value[lane];
                left &= left - 1;
            }
        }
    }
    #[inline(always)]
    unsafe fn store_interleaved(self, p: *mut f32, a: Self::F, b: Self::F) {
        unsafe {
            let lo = _mm256_unpacklo_ps(a, b);
            let hi = _mm256_unpackhi_ps(a, b);
            _mm256_storeu_ps(p, _mm256_permute2f128_ps::<0x20>(lo, hi));
            _mm256_storeu_ps(p.add(8), _mm256_permute2f128_ps::<0x31>(lo, hi));
        }
    }
    #[inline(always)]
    unsafe fn load_interleaved(self, p: *const f32) -> (Self::F, Self::F) {
        unsafe { deinterleave(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }
    #[inline(always)]
    fn transpose_pairs(self, r: &mut [Self::F; 8]) {
        unsafe {
            let low = |a, b| _mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b));
            let high = |a, b| _mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b));
            let (a, b, c, d) = (low(r[0], r[1]), high(r[0], r[1]), low(r[2], r[3]), high(r[2], r[3]));
            r[0] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x20>(a, c));
            r[1] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x20>(b, d));
            r[2] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x31>(a, c));
            r[3] = _mm256_castpd_ps(_mm256_permute2f128_pd::<0x31>(b, d));
        }
    }
}

/// Even and odd values of two registers.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn deinterleave(lo: __m256, hi: __m256) -> (__m256, __m256) {
    // SAFETY: register-only instructions of AVX2, which the caller vouches for. The in-lane shuffle leaves
    // 64-bit groups in the order 0 2 1 3, which the permutation undoes.
    unsafe {
        let even = _mm256_castps_pd(_mm256_shuffle_ps::<0b10_00_10_00>(lo, hi));
        let odd = _mm256_castps_pd(_mm256_shuffle_ps::<0b11_01_11_01>(lo, hi));
        (
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(even)),
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(odd)),
        )
    }
}
