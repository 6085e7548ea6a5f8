//! One level at a time, in blocks of 64 points: indices first, then the table.
//!
//! The split lets the indices of block k + 1 be computed and their lines prefetched while block k is gathered;
//! that pays on tables beyond the L2 cache and costs on small ones, so it depends on the level's size.

use super::GridLevel;
use super::block::PointBlock;
use crate::simd::{Isa, Kernel, Simd};

/// Points per block: callers pad point arrays to a multiple of it.
pub const BLOCK: usize = 64;

/// A level's table is prefetched from this size on, in bytes.
const PREFETCH_FROM: usize = 512 << 10;

/// Positions in the unit cube, one slice per axis, equally long. Values outside [0, 1] are clamped, NaN is 0.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Points<'a> {
    pub x: &'a [f32],
    pub y: &'a [f32],
    pub z: &'a [f32],
}

impl Points<'_> {
    /// The number of points.
    pub fn len(&self) -> usize {
        self.x.len()
    }
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }
}

/// Interpolates one level: `out[p * F + f]` for every point p.
///
/// # Panics
/// If the number of points is not a multiple of [`BLOCK`], or a slice does not fit the level and the points.
pub fn forward_level(isa: Isa, level: &GridLevel, table: &[f32], points: Points<'_>, out: &mut [f32]) {
    check(level, table.len(), points, points.len());
    assert!(points.len().is_multiple_of(BLOCK), "hash grid: {} points are not whole blocks", points.len());
    assert!(out.len() >= points.len() * level.features, "hash grid: the output is too short");
    isa.run(Forward { level, table, points, out });
}

/// Adds the gradient of the table for the first `n` points: `grad[i] += sum of weight * d_out`. Points are taken
/// in order, so the result is the same on every run.
///
/// # Panics
/// If a slice does not fit the level and the points, or the points are not padded to whole blocks.
pub fn backward_level(
    isa: Isa,
    level: &GridLevel,
    points: Points<'_>,
    n: usize,
    d_out: &[f32],
    grad: &mut [f32],
) {
    check(level, grad.len(), points, n);
    assert!(points.len() >= n.next_multiple_of(BLOCK), "hash grid: points are not padded to whole blocks");
    assert!(d_out.len() >= n.next_multiple_of(BLOCK) * level.features, "hash grid: d_out is too short");
    isa.run(Backward { level, points, n, d_out, grad });
}

pub(super) fn check(level: &GridLevel, table: usize, points: Points<'_>, n: usize) {
    // Saturating, because a level's fields are public: a product that wraps would let an index leave the table.
    let values = level.entries.saturating_mul(level.features);
    assert!(table >= values, "hash grid: the table has {table} values, not {level:?}");
    assert!(points.y.len() == points.len() && points.z.len() == points.len() && n <= points.len());
    let side = level.resolution as usize + 1;
    let fits =
        if level.dense { side.saturating_pow(3) <= level.entries } else { level.entries.is_power_of_two() };
    // The largest corner of x = 1 must lie on the grid, or a dense index would leave the table.
    let top = level.scale + 0.5;
    assert!(
        fits && top < side as f32 && top as usize + 1 < side && level.scale >= 0.0,
        "hash grid: bad {level:?}"
    );
    assert!(values.saturating_mul(4) < 1 << 31, "hash grid: {level:?} is too large for 32-bit gathers");
}

struct Forward<'a> {
    level: &'a GridLevel,
    table: &'a [f32],
    points: Points<'a>,
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { level, table, points, out } = self;
        let blocks = points.len() / BLOCK;
        let ahead = table.len() * 4 >= PREFETCH_FROM;
        let mut pair = [PointBlock::EMPTY, PointBlock::EMPTY];
        // SAFETY: block k exists for k < blocks; `check` has shown that every index is below `entries` for
        // positions in [0, 1], which `fill` clamps to, and that the output holds every block.
        unsafe {
            if blocks > 0 {
                pair[0].fill(s, level, points, 0);
            }
            for k in 0..blocks {
                if k + 1 < blocks {
                    let next = &mut pair[(k + 1) & 1];
                    next.fill(s, level, points, (k + 1) * BLOCK);
                    if ahead {
                        next.prefetch(table, level.features);
                    }
                }
                let out = out.as_mut_ptr().add(k * BLOCK * level.features);
                if level.features == 2 {
                    gather_pairs(s, &pair[k & 1], table, out);
                } else {
                    gather_any(s, &pair[k & 1], table, level.features, out);
                }
            }
        }
    }
}

/// # Safety
/// The block's indices lie in the table, and `out` has room for it.
#[inline(always)]
unsafe fn gather_pairs<S: Simd>(s: S, block: &PointBlock, table: &[f32], out: *mut f32) {
    let mut j = 0;
    while j < BLOCK {
        // SAFETY: the caller's promise.
        unsafe {
            let w = block.weights(s, j);
            let (mut a, mut b) = (s.splat(0.0), s.splat(0.0));
            for (index, w) in block.index.iter().zip(w) {
                let (v0, v1) = s.gather2(table.as_ptr(), s.load_i(index.as_ptr().add(j)));
                a = s.fma(w, v0, a);
                b = s.fma(w, v1, b);
            }
            s.store_interleaved(out.add(2 * j), a, b);
        }
        j += S::LANES;
    }
}

/// # Safety
/// As `gather_pairs`.
#[inline(always)]
unsafe fn gather_any<S: Simd>(s: S, block: &PointBlock, table: &[f32], features: usize, out: *mut f32) {
    let mut lanes = [0.0f32; BLOCK];
    let stride = s.splat_i(features as u32);
    let mut j = 0;
    while j < BLOCK {
        // SAFETY: the caller's promise; `f < features` keeps `base` inside the entry.
        unsafe {
            let w = block.weights(s, j);
            for f in 0..features {
                let mut a = s.splat(0.0);
                for (index, w) in block.index.iter().zip(w) {
                    let i = s.mul_i(s.load_i(index.as_ptr().add(j)), stride);
                    a = s.fma(w, s.gather(table.as_ptr().add(f), i), a);
                }
                s.store(lanes.as_mut_ptr(), a);
                for (i, v) in lanes[..S::LANES].iter().enumerate() {
                    *out.add((j + i) * features + f) = *v;
                }
            }
        }
        j += S::LANES;
    }
}

struct Backward<'a> {
    level: &'a GridLevel,
    points: Points<'a>,
    n: usize,
    d_out: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { level, points, n, d_out, grad } = self;
        let mut block = PointBlock::EMPTY;
        let mut at = 0;
        // SAFETY: whole blocks exist up to n rounded up; indices are in the table as in `Forward`.
        unsafe {
            while at < n {
                block.fill(s, level, points, at);
                let d_out = d_out.as_ptr().add(at * level.features);
                let count = BLOCK.min(n - at);
                if level.features == 2 {
                    scatter_pairs(s, &block, d_out, count, grad.as_mut_ptr());
                } else {
                    scatter_any(s, &block, d_out, count, level.features, grad.as_mut_ptr());
                }
                at += BLOCK;
            }
        }
    }
}

/// # Safety
/// The block's indices lie in `grad`, and `d_out` holds a whole block.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "one index runs over several arrays")]
unsafe fn scatter_pairs<S: Simd>(s: S, block: &PointBlock, d_out: *const f32, count: usize, grad: *mut f32) {
    // The products are vectorised; the additions cannot be, since points share entries.
    let mut lanes = [[[0.0f32; 2]; 16]; 8];
    let mut j = 0;
    while j < count {
        // SAFETY: the caller's promise; j + LANES <= BLOCK.
        unsafe {
            let w = block.weights(s, j);
            let (g0, g1) = s.load_interleaved(d_out.add(2 * j));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                s.store_interleaved(lanes.as_mut_ptr().cast(), s.mul(w, g0), s.mul(w, g1));
            }
            let live = S::LANES.min(count - j);
            for p in 0..live {
                for c in 0..8 {
                    let entry = grad.add(2 * block.index[c][j + p] as usize).cast::<[f32; 2]>();
                    let [a, b] = entry.read_unaligned();
                    entry.write_unaligned([a + lanes[c][p][0], b + lanes[c][p][1]]);
                }
            }
        }
        j += S::LANES;
    }
}

/// # Safety
/// As `scatter_pairs`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "one index runs over several arrays")]
unsafe fn scatter_any<S: Simd>(
    s: S,
    block: &PointBlock,
    d_out: *const f32,
    count: usize,
    features: usize,
    grad: *mut f32,
) {
    let mut w = [[0.0f32; 16]; 8];
    let mut j = 0;
    while j < count {
        // SAFETY: the caller's promise; j + LANES <= BLOCK.
        unsafe {
            for (w, v) in w.iter_mut().zip(block.weights(s, j)) {
                s.store(w.as_mut_ptr(), v);
            }
            for p in 0..S::LANES.min(count - j) {
                for c in 0..8 {
                    let entry = grad.add(block.index[c][j + p] as usize * features);
                    for f in 0..features {
                        *entry.add(f) += w[c][p] * *d_out.add((j + p) * features + f);
                    }
                }
            }
        }
        j += S::LANES;
    }
}
