//! One kernel source, three instruction sets.
//!
//! A kernel is a struct that implements [`Kernel`]: its `run` is generic over [`Simd`], the lanes it computes
//! with. [`Isa::run`] compiles it once for AVX-512, once for AVX2 + FMA and once portably, and picks at run time.
//! The environment variable `NERVE_SIMD=avx512|avx2|scalar` narrows the choice (tests, benches, bug reports).
//!
//! Paths agree within rounding, not bit for bit: the portable one has no fused multiply-add.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
pub(crate) mod math;
mod portable;

pub use isa::{Isa, Kernel, flush_denormals, prefetch};
use portable::Portable;

/// The lanes of one instruction set: `LANES` f32 values or u32 values at a time.
///
/// A value of the implementing type is the proof that the CPU has the instructions: it can only be had from
/// [`Isa::run`]. Arithmetic is safe; memory access goes through raw pointers, and the caller vouches for them.
#[allow(missing_docs)]
pub trait Simd: Copy + Send + Sync + 'static {
    /// Values per register.
    const LANES: usize;
    /// f32 lanes.
    type F: Copy;
    /// u32 lanes (two's complement where signed).
    type I: Copy;
    /// One boolean per lane.
    type M: Copy;

    fn splat(self, v: f32) -> Self::F;
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load(self, p: *const f32) -> Self::F;
    /// # Safety
    /// `p` is valid for writing `LANES` values.
    unsafe fn store(self, p: *mut f32, v: Self::F);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, fused where the instruction set has it.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    fn floor(self, a: Self::F) -> Self::F;
    /// `a > b` per lane.
    fn gt(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a != b` per lane (true for NaN).
    fn ne(self, a: Self::F, b: Self::F) -> Self::M;
    fn and_m(self, a: Self::M, b: Self::M) -> Self::M;
    fn or_m(self, a: Self::M, b: Self::M) -> Self::M;
    fn not_m(self, a: Self::M) -> Self::M;
    /// True if any lane is set.
    fn any(self, m: Self::M) -> bool;
    /// `m ? a : b` per lane.
    fn select(self, m: Self::M, a: Self::F, b: Self::F) -> Self::F;
    /// The sum of all lanes, in a fixed order.
    fn reduce_add(self, a: Self::F) -> f32;

    fn splat_i(self, v: u32) -> Self::I;
    /// # Safety
    /// `p` is valid for writing `LANES` values.
    unsafe fn store_i(self, p: *mut u32, v: Self::I);
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load_i(self, p: *const u32) -> Self::I;
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a - b`, wrapping.
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Each lane shifted by its own count, below 32.
    fn shl_i(self, a: Self::I, by: Self::I) -> Self::I;
    /// See [`Self::shl_i`]; zeros come in.
    fn shr_i(self, a: Self::I, by: Self::I) -> Self::I;
    /// The smaller and the larger of signed integers.
    fn min_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// See [`Self::min_i`].
    fn max_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// `m ? a : b` per lane.
    fn select_i(self, m: Self::M, a: Self::I, b: Self::I) -> Self::I;
    /// Signed integers as f32.
    fn to_float(self, a: Self::I) -> Self::F;
    /// The same bits as integers.
    fn bits(self, a: Self::F) -> Self::I;
    /// The same bits as f32.
    fn floats(self, a: Self::I) -> Self::F;
    /// `a == b` per lane.
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M;
    /// Truncation toward zero of values in the i32 range.
    fn to_int(self, a: Self::F) -> Self::I;
    /// `2^n` for lanes that hold integers in -126..=127 as f32.
    fn exp2_int(self, n: Self::F) -> Self::F;

    /// Gathers the pairs `base[2 i], base[2 i + 1]` of every index lane.
    /// # Safety
    /// Every index `i` has `2 i + 1` inside the allocation at `base`, below 2^31 bytes.
    unsafe fn gather2(self, base: *const f32, i: Self::I) -> (Self::F, Self::F);
    /// Gathers `base[i]` of every index lane.
    /// # Safety
    /// Every index is inside the allocation at `base`, below 2^31 bytes.
    unsafe fn gather(self, base: *const f32, i: Self::I) -> Self::F;
    /// Gathers `base[i]` of every index lane.
    /// # Safety
    /// Every index is inside the allocation at `base`, below 2^31 bytes.
    unsafe fn gather_i(self, base: *const u32, i: Self::I) -> Self::I;
    /// Writes `v` to `base[i]` in the lanes that are set.
    /// # Safety
    /// Every index of such a lane is inside the allocation at `base`, below 2^31 bytes.
    unsafe fn scatter(self, base: *mut f32, i: Self::I, v: Self::F, m: Self::M);
    /// Interleaves `a0 b0 a1 b1 ...` into `2 * LANES` values at `p`.
    /// # Safety
    /// `p` is valid for writing `2 * LANES` values.
    unsafe fn store_interleaved(self, p: *mut f32, a: Self::F, b: Self::F);
    /// The inverse of `store_interleaved`.
    /// # Safety
    /// `p` is valid for reading `2 * LANES` values.
    unsafe fn load_interleaved(self, p: *const f32) -> (Self::F, Self::F);
    /// Transposes a square of pairs: pair j of register i becomes pair i of register j, in the first `LANES / 2`
    /// registers.
    fn transpose_pairs(self, r: &mut [Self::F; 8]);
}
