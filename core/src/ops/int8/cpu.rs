//! The product, by VNNI and portably.

use super::MOST_INPUTS;
use crate::ops::small_gemm::{Start, padded};
use crate::simd::Isa;

/// Which instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any processor's.
    Portable,
    /// AVX-512 VNNI.
    Vnni,
}

impl Kind {
    /// The fastest that this processor has within [`Isa::best`].
    #[must_use]
    pub fn best() -> Self {
        if Isa::best() == Isa::Avx512 && has_vnni() { Self::Vnni } else { Self::Portable }
    }

    /// Those that it has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut kinds = vec![Self::Portable];
        if has_vnni() {
            kinds.push(Self::Vnni);
        }
        kinds
    }
}

#[cfg(target_arch = "x86_64")]
fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vnni() -> bool {
    false
}

/// Weights in 8 bits.
#[derive(Clone, Debug, Default)]
pub struct Int8Weights {
    inputs: usize,
    outputs: usize,
    /// `[input / 4][output, padded to 16][4]`.
    values: Vec<i8>,
    /// By output, padded.
    scales: Vec<f32>,
    /// Sums over the inputs, by output, padded.
    sums: Vec<i32>,
}

impl Int8Weights {
    /// Of weights `[output][stride]`, the first `inputs` of a row.
    ///
    /// # Panics
    /// If there are more inputs than [`MOST_INPUTS`], or the slice is too short.
    pub fn quantize(&mut self, weights: &[f32], stride: usize, inputs: usize, outputs: usize) {
        assert!(inputs <= MOST_INPUTS && inputs <= stride, "int8: {inputs} inputs in rows of {stride}");
        let (width, groups) = (padded(outputs), inputs.div_ceil(4));
        (self.inputs, self.outputs) = (inputs, outputs);
        self.values.clear();
        self.values.resize(groups * width * 4, 0);
        self.scales.clear();
        self.scales.resize(width, 0.0);
        self.sums.clear();
        self.sums.resize(width, 0);
        for o in 0..outputs {
            let row = &weights[o * stride..o * stride + inputs];
            let scale = largest(row) / 127.0;
            self.scales[o] = scale;
            let by = inverse(scale);
            for (i, w) in row.iter().enumerate() {
                let q = (w * by).round_ties_even() as i8;
                self.values[(i / 4 * width + o) * 4 + i % 4] = q;
                self.sums[o] += i32::from(q);
            }
        }
    }
}

fn largest(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |most: f32, w| most.max(w.abs()))
}

fn inverse(scale: f32) -> f32 {
    if scale > 0.0 { 1.0 / scale } else { 0.0 }
}

/// A row in 8 bits.
#[derive(Clone, Copy, Default)]
struct RowScale {
    scale: f32,
    zero: i32,
}

/// Rows that are worked on at a time.
const ROWS: usize = 6;

/// `c[row] = start + x[row] W^T`, then ReLU if asked for: `rows` rows of `x`, `lda` apart, and of `c`, `ldc` apart, which gets
/// whole panels of 16 columns. `room` is kept between calls.
///
/// # Panics
/// If a slice is too short, or the product starts from [`Start::Affine`].
#[allow(clippy::too_many_arguments)]
pub fn product(
    kind: Kind,
    rows: usize,
    x: &[f32],
    lda: usize,
    w: &Int8Weights,
    c: &mut [f32],
    ldc: usize,
    start: Start<'_>,
    relu: bool,
    room: &mut Vec<u8>,
) {
    let (width, groups) = (padded(w.outputs), w.inputs.div_ceil(4));
    if rows == 0 || width == 0 {
        return;
    }
    assert!(width <= ldc && w.inputs <= lda, "int8: rows are too short");
    assert!(
        x.len() >= (rows - 1) * lda + w.inputs && c.len() >= (rows - 1) * ldc + width,
        "int8: too few rows"
    );
    let bias = match start {
        Start::Row(row) => Some(row),
        Start::Zero | Start::Stored => None,
        Start::Affine { .. } => panic!("int8: products do not start from two rows"),
    };
    assert!(bias.is_none_or(|bias| bias.len() >= width), "int8: the bias is too short");
    room.clear();
    room.resize(ROWS * groups * 4, 0);
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        let mut scales = [RowScale::default(); ROWS];
        for (r, scale) in scales.iter_mut().take(count).enumerate() {
            let from = &x[(first + r) * lda..(first + r) * lda + w.inputs];
            *scale = quantize_row(kind, from, &mut room[r * groups * 4..(r + 1) * groups * 4]);
        }
        let tile = Tile {
            x: room,
            groups,
            scales: &scales[..count],
            w,
            width,
            bias,
            stored: matches!(start, Start::Stored),
            relu,
        };
        let c = &mut c[first * ldc..];
        match kind {
            Kind::Portable => tile.portable(c, ldc),
            #[cfg(target_arch = "x86_64")]
            Kind::Vnni => {
                assert!(has_vnni(), "int8: this processor has no AVX-512 VNNI");
                // SAFETY: the processor has the instructions; `c` and the tile's slices were checked above.
                unsafe { tile.vnni(c, ldc) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            Kind::Vnni => tile.portable(c, ldc),
        }
    }
}

/// A row's values in 8 bits, with zeros' code behind them.
fn quantize_row(kind: Kind, row: &[f32], to: &mut [u8]) -> RowScale {
    match kind {
        #[cfg(target_arch = "x86_64")]
        Kind::Vnni if has_vnni() => {
            // SAFETY: the processor has the instructions, and `to` is at least as long as the row.
            unsafe { x86::quantize_row(row, to) }
        }
        _ => {
            let (least, most) = row.iter().fold((0.0f32, 0.0f32), |(a, b), x| (a.min(*x), b.max(*x)));
            let scale = RowScale::of(least, most);
            let by = inverse(scale.scale);
            for (to, x) in to.iter_mut().zip(row) {
                *to = ((x * by).round_ties_even() as i32 + scale.zero) as u8;
            }
            to[row.len()..].fill(0);
            scale
        }
    }
}

impl RowScale {
    fn of(least: f32, most: f32) -> Self {
        if least < 0.0 {
            Self { scale: most.max(-least) / 127.0, zero: 128 }
        } else {
            Self { scale: most / 255.0, zero: 0 }
        }
    }
}

/// Up to [`ROWS`] rows.
struct Tile<'a> {
    x: &'a [u8],
    groups: usize,
    scales: &'a [RowScale],
    w: &'a Int8Weights,
    width: usize,
    bias: Option<&'a [f32]>,
    stored: bool,
    relu: bool,
}

impl Tile<'_> {
    fn portable(&self, c: &mut [f32], ldc: usize) {
        for (r, row) in self.scales.iter().enumerate() {
            let x = &self.x[r * self.groups * 4..(r + 1) * self.groups * 4];
            for o in 0..self.width {
                let mut sum = 0i32;
                for (g, x) in x.chunks_exact(4).enumerate() {
                    let w = &self.w.values[(g * self.width + o) * 4..][..4];
                    sum += x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum::<i32>();
                }
                let product = (sum - row.zero * self.w.sums[o]) as f32 * (row.scale * self.w.scales[o]);
                let at = &mut c[r * ldc + o];
                let from = if self.stored { *at } else { self.bias.map_or(0.0, |bias| bias[o]) };
                let y = from + product;
                *at = if self.relu { y.max(0.0) } else { y };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ROWS, RowScale, Tile, inverse};
    use std::arch::x86_64::*;

    /// # Safety
    /// The CPU has AVX-512 F and BW; `to` is at least as long as `row`.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn quantize_row(row: &[f32], to: &mut [u8]) -> RowScale {
        // SAFETY: loads and stores are masked to the row's values.
        unsafe {
            let mask = |at: usize| -> __mmask16 {
                let left = row.len() - at;
                if left >= 16 { !0 } else { (1 << left) - 1 }
            };
            let (mut least, mut most) = (_mm512_setzero_ps(), _mm512_setzero_ps());
            for at in (0..row.len()).step_by(16) {
                let x = _mm512_maskz_loadu_ps(mask(at), row.as_ptr().add(at));
                least = _mm512_min_ps(least, x);
                most = _mm512_max_ps(most, x);
            }
            let scale = RowScale::of(_mm512_reduce_min_ps(least), _mm512_reduce_max_ps(most));
            let (by, zero) = (_mm512_set1_ps(inverse(scale.scale)), _mm512_set1_epi32(scale.zero));
            for at in (0..row.len()).step_by(16) {
                let x = _mm512_maskz_loadu_ps(mask(at), row.as_ptr().add(at));
                let q = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(x, by)), zero);
                _mm512_mask_cvtepi32_storeu_epi8(to.as_mut_ptr().add(at).cast(), mask(at), q);
            }
            to[row.len()..].fill(0);
            scale
        }
    }

    impl Tile<'_> {
        /// # Safety
        /// The CPU has AVX-512 F, BW and VNNI; `c` holds the tile's rows, and the slices what `product` has checked.
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
        pub(super) unsafe fn vnni(&self, c: &mut [f32], ldc: usize) {
            let mut at = 0;
            while at < self.width {
                // SAFETY: the columns `at .. at + 16 NV` exist.
                unsafe {
                    if self.width - at >= 64 {
                        self.panel::<4>(c, ldc, at);
                        at += 64;
                    } else {
                        self.panel::<1>(c, ldc, at);
                        at += 16;
                    }
                }
            }
        }

        /// # Safety
        /// As `vnni`, and `NV` registers of columns from `at` on exist.
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
        unsafe fn panel<const NV: usize>(&self, c: &mut [f32], ldc: usize, at: usize) {
            // SAFETY: rows beyond the tile's are computed of the room's other values and not stored; all else is inside what
            // `product` has checked.
            unsafe {
                let mut acc = [[_mm512_setzero_si512(); NV]; ROWS];
                for g in 0..self.groups {
                    let w = self.w.values.as_ptr().add((g * self.width + at) * 4);
                    let mut wv = [_mm512_setzero_si512(); NV];
                    for (v, wv) in wv.iter_mut().enumerate() {
                        *wv = _mm512_loadu_si512(w.add(64 * v).cast());
                    }
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let four =
                            self.x.as_ptr().add((r * self.groups + g) * 4).cast::<i32>().read_unaligned();
                        let x = _mm512_set1_epi32(four);
                        for (acc, w) in acc.iter_mut().zip(wv) {
                            *acc = _mm512_dpbusd_epi32(*acc, x, w);
                        }
                    }
                }
                for (r, row) in self.scales.iter().enumerate() {
                    for (v, acc) in acc[r].iter().enumerate() {
                        let o = at + 16 * v;
                        let sums = _mm512_loadu_si512(self.w.sums.as_ptr().add(o).cast());
                        let whole =
                            _mm512_sub_epi32(*acc, _mm512_mullo_epi32(_mm512_set1_epi32(row.zero), sums));
                        let scale = _mm512_mul_ps(
                            _mm512_set1_ps(row.scale),
                            _mm512_loadu_ps(self.w.scales.as_ptr().add(o)),
                        );
                        let product = _mm512_mul_ps(_mm512_cvtepi32_ps(whole), scale);
                        let to = c.as_mut_ptr().add(r * ldc + o);
                        let from = if self.stored {
                            _mm512_loadu_ps(to)
                        } else {
                            self.bias
                                .map_or(_mm512_setzero_ps(), |bias| _mm512_loadu_ps(bias.as_ptr().add(o)))
                        };
                        let y = _mm512_add_ps(from, product);
                        let y = if self.relu { _mm512_max_ps(y, _mm512_setzero_ps()) } else { y };
                        _mm512_storeu_ps(to, y);
                    }
                }
            }
        }
    }
}
