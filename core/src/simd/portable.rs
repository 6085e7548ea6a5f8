//! Plain Rust lanes: the path for CPUs without AVX2, and the yardstick for the others.

use super::Simd;

/// Four lanes as arrays.
#[derive(Clone, Copy)]
pub struct Portable;

const N: usize = 4;

#[inline(always)]
fn map<A: Copy, B: Copy, C>(a: [A; N], b: [B; N], f: impl Fn(A, B) -> C) -> [C; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Portable {
    const LANES: usize = N;
    type F = [f32; N];
    type I = [u32; N];
    type M = [bool; N];

    #[inline(always)]
    fn splat(self, v: f32) -> [f32; N] {
        [v; N]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> [f32; N] {
        // SAFETY: the caller vouches for LANES values; the read is unaligned.
        unsafe { p.cast::<[f32; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: [f32; N]) {
        // SAFETY: as in `load`.
        unsafe { p.cast::<[f32; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    fn add(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        // f32::mul_add without hardware support is a slow library call.
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn min(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        map(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: [f32; N]) -> [f32; N] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn floor(self, a: [f32; N]) -> [f32; N] {
        // Through i32: `f32::floor` is a library call on baseline x86-64. Callers stay in the i32 range.
        a.map(|a| {
            let t = a as i32 as f32;
            if t > a { t - 1.0 } else { t }
        })
    }
    #[inline(always)]
    fn gt(self, a: [f32; N], b: [f32; N]) -> [bool; N] {
        map(a, b, |a, b| a > b)
    }
    #[inline(always)]
    fn ne(self, a: [f32; N], b: [f32; N]) -> [bool; N] {
        map(a, b, |a, b| a != b)
    }
    #[inline(always)]
    fn any(self, m: [bool; N]) -> bool {
        m.iter().any(|m| *m)
    }
    #[inline(always)]
    fn select(self, m: [bool; N], a: [f32; N], b: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn reduce_add(self, a: [f32; N]) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }

    #[inline(always)]
    fn splat_i(self, v: u32) -> [u32; N] {
        [v; N]
    }
    #[inline(always)]
    unsafe fn store_i(self, p: *mut u32, v: [u32; N]) {
        // SAFETY: the caller vouches for LANES values.
        unsafe { p.cast::<[u32; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_i(self, p: *const u32) -> [u32; N] {
        // SAFETY: the caller vouches for LANES values.
        unsafe { p.cast::<[u32; N]>().read_unaligned() }
    }
    #[inline(always)]
    fn add_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, u32::wrapping_add)
    }
    #[inline(always)]
    fn mul_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, u32::wrapping_mul)
    }
    #[inline(always)]
    fn xor_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn and_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn sub_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, u32::wrapping_sub)
    }
    #[inline(always)]
    fn shl_i(self, a: [u32; N], by: [u32; N]) -> [u32; N] {
        map(a, by, u32::wrapping_shl)
    }
    #[inline(always)]
    fn shr_i(self, a: [u32; N], by: [u32; N]) -> [u32; N] {
        map(a, by, u32::wrapping_shr)
    }
    #[inline(always)]
    fn min_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, |a, b| (a as i32).min(b as i32) as u32)
    }
    #[inline(always)]
    fn max_i(self, a: [u32; N], b: [u32; N]) -> [u32; N] {
        map(a, b, |a, b| (a as i32).max(b as i32) as u32)
    }
    #[inline(always)]
    fn select_i(self, m: [bool; N], a: [u32; N], b: [u32; N]) -> [u32; N] {
        std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn to_float(self, a: [u32; N]) -> [f32; N] {
        a.map(|a| a as i32 as f32)
    }
    #[inline(always)]
    fn bits(self, a: [f32; N]) -> [u32; N] {
        a.map(f32::to_bits)
    }
    #[inline(always)]
    fn floats(self, a: [u32; N]) -> [f32; N] {
        a.map(f32::from_bits)
    }
    #[inline(always)]
    fn and_m(self, a: [bool; N], b: [bool; N]) -> [bool; N] {
        map(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or_m(self, a: [bool; N], b: [bool; N]) -> [bool; N] {
        map(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn not_m(self, a: [bool; N]) -> [bool; N] {
        a.map(|a| !a)
    }
    #[inline(always)]
    unsafe fn gather_i(self, base: *const u32, i: [u32; N]) -> [u32; N] {
        // SAFETY: the caller vouches for every index.
        i.map(|i| unsafe { *base.add(i as usize) })
    }
    #[inline(always)]
    fn eq_i(self, a: [u32; N], b: [u32; N]) -> [bool; N] {
        std::array::from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn to_int(self, a: [f32; N]) -> [u32; N] {
        a.map(|a| a as i32 as u32)
    }
    #[inline(always)]
    fn exp2_int(self, n: [f32; N]) -> [f32; N] {
        n.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    unsafe fn gather2(self, base: *const f32, i: [u32; N]) -> ([f32; N], [f32; N]) {
        // SAFETY: the caller vouches for both values of every pair.
        let pairs = i.map(|i| unsafe { base.add(2 * i as usize).cast::<[f32; 2]>().read_unaligned() });
        (pairs.map(|p| p[0]), pairs.map(|p| p[1]))
    }
    #[inline(always)]
    unsafe fn gather(self, base: *const f32, i: [u32; N]) -> [f32; N] {
        // SAFETY: the caller vouches for every index.
        i.map(|i| unsafe { *base.add(i as usize) })
    }
    #[inline(always)]
    unsafe fn scatter(self, base: *mut f32, i: [u32; N], v: [f32; N], m: [bool; N]) {
        for lane in (0..N).filter(|lane| m[*lane]) {
            // SAFETY: the caller vouches for the indices of these lanes.
            unsafe { *base.add(i[lane] as usize) = v[lane] };
        }
    }
    #[inline(always)]
    unsafe fn store_interleaved(self, p: *mut f32, a: [f32; N], b: [f32; N]) {
        // SAFETY: the caller vouches for 2 LANES values.
        unsafe {
            p.cast::<[f32; 2 * N]>()
                .write_unaligned(std::array::from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] }))
        }
    }
    #[inline(always)]
    unsafe fn load_interleaved(self, p: *const f32) -> ([f32; N], [f32; N]) {
        // SAFETY: the caller vouches for 2 LANES values.
        let v = unsafe { p.cast::<[f32; 2 * N]>().read_unaligned() };
        (std::array::from_fn(|i| v[2 * i]), std::array::from_fn(|i| v[2 * i + 1]))
    }
    #[inline(always)]
    fn transpose_pairs(self, r: &mut [[f32; N]; 8]) {
        let [a, b] = [r[0], r[1]];
        r[0] = [a[0], a[1], b[0], b[1]];
        r[1] = [a[2], a[3], b[2], b[3]];
    }
}
