//! A weight's gradient on AMX tiles: the product of transposed activations and gradients, summed over samples.

use super::{CONFIG, DEEP, MOST, SIDE, available};
use std::arch::asm;
use std::arch::x86_64::*;

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
