//! Products of bf16 values with f32 sums on Intel's AMX tiles: 16 x 16 x 32 multiply-adds per instruction.
//!
//! Operands stay f32 in memory. The left one is rounded (to nearest even) on its way into a tile, sixteen rows at a
//! time; weights are rounded and laid out once per step ([`Packed`]). A weight's gradient sums over samples, so both
//! of its operands are rounded and paired sample by sample, and one of them is transposed in registers.

use super::Epilogue;
use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

/// Rows and columns of a tile's f32 sums.
const SIDE: usize = 16;
/// Values along the depth of one instruction.
const DEEP: usize = 32;
/// Deepest product of activations with weights.
const MOST: usize = 256;

/// The right operand of a product, rounded to bf16: tiles of 16 pairs along the depth by 16 columns.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    tiles: Vec<u32>,
    depth: usize,
    columns: usize,
}

impl Packed {
    /// Packs `k x n` values with row stride `ld`; `n` is rounded up to whole tiles, `k` to 32, with zeros.
    pub fn pack(&mut self, values: &[f32], ld: usize, k: usize, n: usize) {
        (self.depth, self.columns) = (k.div_ceil(DEEP), n.div_ceil(SIDE));
        self.tiles.clear();
        self.tiles.resize(self.depth * self.columns * SIDE * SIDE, 0);
        for i in 0..k {
            for j in 0..n {
                let tile = (i / DEEP) * self.columns + j / SIDE;
                let at = (tile * SIDE + i % DEEP / 2) * SIDE + j % SIDE;
                self.tiles[at] |= u32::from(round(values[i * ld + j])) << (16 * (i & 1));
            }
        }
    }
}

/// The bf16 nearest to `v`, ties to even.
fn round(v: f32) -> u16 {
    let bits = v.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Whether this CPU has AMX and AVX-512 with bf16, and the system lets this process use it.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| is_x86_feature_detected!("avx512bf16") && has_amx_bf16() && permitted())
}

fn has_amx_bf16() -> bool {
    let leaf = __cpuid_count(7, 0);
    // Bits 22 (AMX-BF16) and 24 (AMX-TILE) of EDX; the system must have enabled XTILE state too, which
    // `permitted` finds out.
    __cpuid(0).eax >= 7 && leaf.edx >> 22 & 1 == 1 && leaf.edx >> 24 & 1 == 1
}

#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: i32 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    // SAFETY: asks the kernel for a permission; no memory is involved.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// All eight tiles: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config([u8; 64]);

const CONFIG: Config = {
    let mut c = [0; 64];
    c[0] = 1;
    let mut t = 0;
    while t < 8 {
        c[16 + 2 * t] = 64;
        c[48 + t] = SIDE as u8;
        t += 1;
    }
    Config(c)
};

/// `C = A B` (or `C += A B` with `accumulate`) with the epilogue, for `m` rows (a multiple of 16 must be readable and writable in A and C).
///
/// # Panics
/// If a slice is too short, the depth of `b` does not fit `k`, or AMX is not [`available`].
#[allow(clippy::too_many_arguments)]
pub fn product(
    m: usize,
    k: usize,
    a: &[f32],
    lda: usize,
    b: &Packed,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
    epilogue: Epilogue<'_>,
) {
    let rows = m.next_multiple_of(SIDE);
    let n = b.columns * SIDE;
    assert!(available() && k.div_ceil(DEEP) == b.depth && k <= lda && k <= MOST && n <= ldc);
    assert!(
        rows == 0
            || (a.len() >= (rows - 1) * lda + k.next_multiple_of(SIDE) && c.len() >= (rows - 1) * ldc + n)
    );
    if let Epilogue::MaskBy(h, ldh) = epilogue {
        assert!(rows == 0 || (n <= ldh && h.len() >= (rows - 1) * ldh + n));
    }
    // SAFETY: AMX and AVX-512 are there; extents are checked above.
    unsafe { product_rows(rows, k, a, lda, b, c, ldc, accumulate, epilogue) }
}

/// # Safety
/// The CPU has AMX-BF16, AVX-512 BW and BF16; the extents are those that `product` checks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
#[allow(clippy::too_many_arguments)]
unsafe fn product_rows(
    rows: usize,
    k: usize,
    a: &[f32],
    lda: usize,
    b: &Packed,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
    epilogue: Epilogue<'_>,
) {
    #[repr(C, align(64))]
    struct Left([[u32; MOST / 2]; SIDE]);
    let mut left = Left([[0; MOST / 2]; SIDE]);
    let stride = MOST * 2;
    // SAFETY: tiles read `left` (16 rows of `stride` bytes) and whole tiles of `b`, and write 16 x 16 blocks of C
    // inside the checked extents. No other code of this crate keeps state in tiles.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &CONFIG, options(nostack, readonly));
        for i in (0..rows).step_by(SIDE) {
            for (r, row) in left.0.iter_mut().enumerate() {
                let from = a.as_ptr().add((i + r) * lda);
                for d in (0..k).step_by(SIDE) {
                    let halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(from.add(d)));
                    row.as_mut_ptr().add(d / 2).cast::<__m256bh>().write_unaligned(halves);
                }
            }
            for j in (0..b.columns).step_by(4) {
                let columns = (b.columns - j).min(4);
                let to = c.as_mut_ptr().add(i * ldc + j * SIDE);
                macro_rules! start {
                    ($t:literal, $c:literal) => {
                        if !accumulate {
                            asm!(concat!("tilezero tmm", $c), options(nomem, nostack));
                        } else if $t < columns {
                            asm!(concat!("tileloadd tmm", $c, ", [{p} + {s}]"),
                                p = in(reg) to.add($t * SIDE), s = in(reg) ldc * 4, options(nostack, readonly));
                        }
                    };
                }
                start!(0, "0");
                start!(1, "1");
                start!(2, "2");
                start!(3, "3");
                for d in 0..b.depth {
                    let from = left.0.as_ptr().cast::<u32>().add(d * SIDE);
                    let tile = b.tiles.as_ptr().add((d * b.columns + j) * SIDE * SIDE);
                    asm!("tileloadd tmm4, [{p} + {s}]", p = in(reg) from, s = in(reg) stride, options(nostack, readonly));
                    macro_rules! step {
                        ($t:literal, $c:literal) => {
                            if $t < columns {
                                asm!("tileloadd tmm5, [{p} + {s}]", concat!("tdpbf16ps tmm", $c, ", tmm4, tmm5"),
                                    p = in(reg) tile.add($t * SIDE * SIDE), s = in(reg) 64usize, options(nostack, readonly));
                            }
                        };
                    }
                    step!(0, "0");
                    step!(1, "1");
                    step!(2, "2");
                    step!(3, "3");
                }
                macro_rules! store {
                    ($t:literal, $c:literal) => {
                        if $t < columns {
                            asm!(concat!("tilestored [{p} + {s}], tmm", $c),
                                p = in(reg) to.add($t * SIDE), s = in(reg) ldc * 4, options(nostack));
                        }
                    };
                }
                store!(0, "0");
                store!(1, "1");
                store!(2, "2");
                store!(3, "3");
            }
            finish(i, b.columns, c, ldc, epilogue);
        }
        asm!("tilerelease", options(nomem, nostack));
    }
}

/// The epilogue of rows `i .. i + 16`.
///
/// # Safety
/// As `product_rows`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn finish(i: usize, columns: usize, c: &mut [f32], ldc: usize, epilogue: Epilogue<'_>) {
    let zero = _mm512_setzero_ps();
    for r in i..i + SIDE {
        for j in (0..columns * SIDE).step_by(SIDE) {
            // SAFETY: the extents are checked.
            unsafe {
                let at = c.as_mut_ptr().add(r * ldc + j);
                match epilogue {
                    Epilogue::None => {}
                    Epilogue::Relu => _mm512_storeu_ps(at, _mm512_max_ps(_mm512_loadu_ps(at), zero)),
                    Epilogue::MaskBy(h, ldh) => {
                        let h = _mm512_loadu_ps(h.as_ptr().add(r * ldh + j));
                        let live = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(h, zero);
                        _mm512_storeu_ps(at, _mm512_maskz_loadu_ps(live, at));
                    }
                }
            }
        }
    }
}

/// The bits of sixteen values, rounded so that their upper halves are the nearest bf16.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded(v: __m512) -> __m512i {
    let bits = _mm512_castps_si512(v);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)))
}

/// Pairs of samples p, p + 1 of sixteen columns: p in the lower halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn paired(a: __m512, b: __m512) -> __m512i {
    let low = _mm512_srli_epi32::<16>(rounded(a));
    let high = _mm512_and_si512(rounded(b), _mm512_set1_epi32(0xffff_0000u32 as i32));
    _mm512_or_si512(low, high)
}

/// `G += A^T B` over `k` samples: A is `[sample][lda]` with `m` columns in use, B `[sample][ldb]` with `n` (a multiple
/// of 16), G `[m][ldg]`. Rows of A and B up to the next multiple of 32 must be readable; those beyond `k` count as 0.
///
/// # Panics
/// If a slice is too short or AMX is not [`available`].
#[allow(clippy::too_many_arguments)]
pub fn outer(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    lda: usize,
    b: &[f32],
    ldb: usize,
    g: &mut [f32],
    ldg: usize,
) {
    if k == 0 {
        return;
    }
    let wide = m.next_multiple_of(SIDE);
    assert!(available() && n.is_multiple_of(SIDE) && wide <= lda && n <= ldb && n <= ldg);
    assert!(wide <= MOST && n <= MOST);
    assert!(a.len() >= (k - 1) * lda + wide && b.len() >= (k - 1) * ldb + n && g.len() >= (m - 1) * ldg + n);
    // SAFETY: AMX and AVX-512 are there; extents are checked above, and rows from k on are not read.
    unsafe { outer_blocks(m, n, k, a, lda, b, ldb, g, ldg) }
}

/// # Safety
/// As `product_rows`, with the extents that `outer` checks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[allow(clippy::too_many_arguments)]
unsafe fn outer_blocks(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    lda: usize,
    b: &[f32],
    ldb: usize,
    g: &mut [f32],
    ldg: usize,
) {
    #[repr(C, align(64))]
    struct Tiles([[__m512i; SIDE]; MOST / SIDE]);
    let zero = _mm512_setzero_si512();
    let (mut left, mut right) = (Tiles([[zero; SIDE]; MOST / SIDE]), Tiles([[zero; SIDE]; MOST / SIDE]));
    let mut sums = vec![[[0.0f32; SIDE]; SIDE]; m.div_ceil(SIDE) * (n / SIDE)];
    // SAFETY: as in `product_rows`; samples at or beyond k are replaced by zeros without being read.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &CONFIG, options(nostack, readonly));
        for p in (0..k).step_by(DEEP) {
            let row = |base: &[f32], ld: usize, at: usize, column: usize| {
                if at < k {
                    _mm512_loadu_ps(base.as_ptr().add(at * ld + column))
                } else {
                    _mm512_setzero_ps()
                }
            };
            for (t, tile) in left.0.iter_mut().take(m.div_ceil(SIDE)).enumerate() {
                for (i, pair) in tile.iter_mut().enumerate() {
                    let at = p + 2 * i;
                    *pair = paired(row(a, lda, at, t * SIDE), row(a, lda, at + 1, t * SIDE));
                }
                transpose(tile);
            }
            for (t, tile) in right.0.iter_mut().take(n / SIDE).enumerate() {
                for (i, pair) in tile.iter_mut().enumerate() {
                    let at = p + 2 * i;
                    *pair = paired(row(b, ldb, at, t * SIDE), row(b, ldb, at + 1, t * SIDE));
                }
            }
            for (i, row) in sums.chunks_exact_mut(n / SIDE).enumerate() {
                asm!("tileloadd tmm4, [{p} + {s}]", p = in(reg) left.0[i].as_ptr(), s = in(reg) 64usize,
                    options(nostack, readonly));
                for (sum, right) in row.iter_mut().zip(&right.0) {
                    asm!("tileloadd tmm0, [{c} + {s}]", "tileloadd tmm5, [{p} + {s}]", "tdpbf16ps tmm0, tmm4, tmm5",
                        "tilestored [{c} + {s}], tmm0",
                        c = in(reg) sum.as_mut_ptr(), p = in(reg) right.as_ptr(), s = in(reg) 64usize,
                        options(nostack));
                }
            }
        }
        asm!("tilerelease", options(nomem, nostack));
    }
    for (i, row) in sums.chunks_exact(n / SIDE).enumerate() {
        for (j, sum) in row.iter().enumerate() {
            for (r, sum) in sum.iter().enumerate().take(m - i * SIDE) {
                let to = &mut g[(i * SIDE + r) * ldg + j * SIDE..][..SIDE];
                to.iter_mut().zip(sum).for_each(|(g, s)| *g += s);
            }
        }
    }
}

/// Transposes sixteen rows of sixteen 32-bit values.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &mut [__m512i; SIDE]) {
    let mut t = [_mm512_setzero_si512(); SIDE];
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        let [a, b, c, d] = [t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]];
        rows[4 * i] = _mm512_unpacklo_epi64(a, c);
        rows[4 * i + 1] = _mm512_unpackhi_epi64(a, c);
        rows[4 * i + 2] = _mm512_unpacklo_epi64(b, d);
        rows[4 * i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // Now rows[4 i + j] holds, in its lane l, column 4 l + j of rows 4 i .. 4 i + 4.
    for j in 0..4 {
        let [a, b, c, d] = [rows[j], rows[4 + j], rows[8 + j], rows[12 + j]];
        let ab = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b);
        let cd = _mm512_shuffle_i32x4::<0b10_00_10_00>(c, d);
        t[j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd);
        t[8 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd);
        let ab = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b);
        let cd = _mm512_shuffle_i32x4::<0b11_01_11_01>(c, d);
        t[4 + j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd);
        t[12 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd);
    }
    *rows = t;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::TestRng;

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
        for (m, k, n) in [
            (16usize, 32usize, 16usize),
            (37, 16, 64),
            (64, 64, 64),
            (5, 3, 64),
            (100, 48, 48),
            (33, 128, 128),
        ] {
            let (lda, ldc) = (crate::ops::matmul::padded(k), n + 16);
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
        for (m, n, k) in
            [(16usize, 16usize, 32usize), (64, 32, 500), (3, 64, 77), (48, 128, 1), (64, 64, 512)]
        {
            let (lda, ldb, ldg) = (crate::ops::matmul::padded(m), n, n + 16);
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
}
