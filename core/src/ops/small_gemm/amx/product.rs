//! Activations times weights on AMX tiles.

use super::{CONFIG, DEEP, MOST, Packed, SIDE, available};
use crate::ops::small_gemm::Epilogue;
use std::arch::asm;
use std::arch::x86_64::*;

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
