//! The gradient of positions, computed only where camera poses are learnt.

use super::block::PointBlock;
use super::cpu::check;
use super::{BLOCK, GridLevel, Points};
use crate::simd::{Isa, Kernel, Simd};

/// Adds one level's share of the gradient of the first `n` positions, per unit of the unit cube:
/// `d[axis][p] += scale * sum over corners of (d weight / d fraction) * (entry . d_out)`. Up to [`BLOCK`] values may be
/// written behind them.
///
/// # Panics
/// If a slice does not fit the level and the points, or the points are not padded to whole blocks.
pub fn backward_positions(
    isa: Isa,
    level: &GridLevel,
    table: &[f32],
    points: Points<'_>,
    n: usize,
    d_out: &[f32],
    d: [&mut [f32]; 3],
) {
    check(level, table.len(), points, n);
    let whole = n.next_multiple_of(BLOCK);
    assert!(points.len() >= whole, "hash grid: points are not padded to whole blocks");
    assert!(d_out.len() >= whole * level.features, "hash grid: d_out is too short");
    assert!(d.iter().all(|d| d.len() >= whole), "hash grid: the positions' gradient is too short");
    isa.run(Positions { level, table, points, n, d_out, d });
}

struct Positions<'a> {
    level: &'a GridLevel,
    table: &'a [f32],
    points: Points<'a>,
    n: usize,
    d_out: &'a [f32],
    d: [&'a mut [f32]; 3],
}

impl Kernel for Positions<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { level, table, points, n, d_out, d: [dx, dy, dz] } = self;
        let mut block = PointBlock::EMPTY;
        let mut at = 0;
        while at < n {
            // SAFETY: whole blocks of points, of `d_out` and of the gradient exist up to n rounded up; indices lie in
            // the table, as `check` has shown.
            unsafe {
                block.fill(s, level, points, at);
                let mut j = 0;
                while j < BLOCK {
                    let worth =
                        worth(s, &block, table, level.features, d_out.as_ptr().add(at * level.features), j);
                    let slope = slopes(s, &block, worth, j);
                    for (d, slope) in [&mut *dx, &mut *dy, &mut *dz].into_iter().zip(slope) {
                        let to = d.as_mut_ptr().add(at + j);
                        s.store(to, s.fma(s.splat(level.scale), slope, s.load(to)));
                    }
                    j += S::LANES;
                }
            }
            at += BLOCK;
        }
    }
}

/// Of lanes `j ..`: per corner, the product of its entry with the features' gradient.
///
/// # Safety
/// `j + LANES <= BLOCK`, the block's indices lie in the table, and `d_out` holds a whole block.
#[inline(always)]
unsafe fn worth<S: Simd>(
    s: S,
    block: &PointBlock,
    table: &[f32],
    features: usize,
    d_out: *const f32,
    j: usize,
) -> [S::F; 8] {
    let mut worth = [s.splat(0.0); 8];
    // SAFETY: the caller's promise; `f < features` keeps the base inside the entry.
    unsafe {
        if features == 2 {
            let (g0, g1) = s.load_interleaved(d_out.add(2 * j));
            for (worth, index) in worth.iter_mut().zip(&block.index) {
                let (v0, v1) = s.gather2(table.as_ptr(), s.load_i(index.as_ptr().add(j)));
                *worth = s.fma(v0, g0, s.mul(v1, g1));
            }
            return worth;
        }
        let stride = s.splat_i(features as u32);
        let mut lanes = [0.0f32; BLOCK];
        for f in 0..features {
            for (i, lane) in lanes[..S::LANES].iter_mut().enumerate() {
                *lane = *d_out.add((j + i) * features + f);
            }
            let g = s.load(lanes.as_ptr());
            for (worth, index) in worth.iter_mut().zip(&block.index) {
                let i = s.mul_i(s.load_i(index.as_ptr().add(j)), stride);
                *worth = s.fma(s.gather(table.as_ptr().add(f), i), g, *worth);
            }
        }
    }
    worth
}

/// The derivative along each axis of the trilinear mean of eight corners.
///
/// # Safety
/// `j + LANES <= BLOCK`.
#[inline(always)]
unsafe fn slopes<S: Simd>(s: S, block: &PointBlock, corner: [S::F; 8], j: usize) -> [S::F; 3] {
    let one = s.splat(1.0);
    // SAFETY: the caller's promise.
    let upper = unsafe {
        let [x, y, z] = &block.fraction;
        [s.load(x.as_ptr().add(j)), s.load(y.as_ptr().add(j)), s.load(z.as_ptr().add(j))]
    };
    std::array::from_fn(|axis| {
        let (step, other) = (1 << axis, [(axis + 1) % 3, (axis + 2) % 3]);
        let mut sum = s.splat(0.0);
        for (u, v) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let low = (u << other[0]) | (v << other[1]);
            let along = |axis: usize, up: usize| if up == 1 { upper[axis] } else { s.sub(one, upper[axis]) };
            let weight = s.mul(along(other[0], u), along(other[1], v));
            sum = s.fma(weight, s.sub(corner[low + step], corner[low]), sum);
        }
        sum
    })
}
