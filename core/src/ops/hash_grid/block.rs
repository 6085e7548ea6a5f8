//! Where 64 points lie in one level: the part that vectorises whatever the table.

use super::{BLOCK, GridLevel, HASH_Y, HASH_Z, Points};
use crate::simd::{Simd, prefetch};

/// Corner indices (corner c = bits x, y, z of c) and cell fractions of one block.
pub(super) struct PointBlock {
    pub index: [[u32; BLOCK]; 8],
    pub fraction: [[f32; BLOCK]; 3],
}

impl PointBlock {
    pub const EMPTY: Self = Self { index: [[0; BLOCK]; 8], fraction: [[0.0; BLOCK]; 3] };

    /// # Safety
    /// Points `at .. at + BLOCK` exist.
    #[inline(always)]
    pub unsafe fn fill<S: Simd>(&mut self, s: S, level: &GridLevel, points: Points<'_>, at: usize) {
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        let (scale, half, one_i) = (s.splat(level.scale), s.splat(0.5), s.splat_i(1));
        let stride = level.resolution + 1;
        let (my, mz) = if level.dense { (stride, stride * stride) } else { (HASH_Y, HASH_Z) };
        let (my, mz) = (s.splat_i(my), s.splat_i(mz));
        let mask = s.splat_i(level.entries as u32 - 1);
        let mut j = 0;
        while j < BLOCK {
            // SAFETY: j + LANES <= BLOCK, so reads stay inside the points and writes inside the block.
            unsafe {
                let axis = |axis: &[f32], fraction: &mut [f32; BLOCK]| {
                    let x = s.min(s.max(s.load(axis.as_ptr().add(at + j)), zero), one);
                    let pos = s.fma(x, scale, half);
                    let cell = s.floor(pos);
                    s.store(fraction.as_mut_ptr().add(j), s.sub(pos, cell));
                    s.to_int(cell)
                };
                let [fx, fy, fz] = &mut self.fraction;
                let (x, y, z) = (axis(points.x, fx), axis(points.y, fy), axis(points.z, fz));
                let (x1, y0, z0) = (s.add_i(x, one_i), s.mul_i(y, my), s.mul_i(z, mz));
                let (y1, z1) = (s.add_i(y0, my), s.add_i(z0, mz));
                for (pair, (y, z)) in [(y0, z0), (y1, z0), (y0, z1), (y1, z1)].into_iter().enumerate() {
                    let (i0, i1) = if level.dense {
                        let yz = s.add_i(y, z);
                        (s.add_i(x, yz), s.add_i(x1, yz))
                    } else {
                        let yz = s.xor_i(y, z);
                        (s.and_i(s.xor_i(x, yz), mask), s.and_i(s.xor_i(x1, yz), mask))
                    };
                    s.store_i(self.index[2 * pair].as_mut_ptr().add(j), i0);
                    s.store_i(self.index[2 * pair + 1].as_mut_ptr().add(j), i1);
                }
            }
            j += S::LANES;
        }
    }

    /// Prefetches the line of every even corner; its x neighbour shares it seven times in eight.
    #[inline(always)]
    pub fn prefetch(&self, table: &[f32], features: usize) {
        for corner in [0, 2, 4, 6] {
            for &i in &self.index[corner] {
                prefetch(table.as_ptr().wrapping_add(i as usize * features));
            }
        }
    }

    /// The eight trilinear weights of lanes `j ..`.
    ///
    /// # Safety
    /// `j + LANES <= BLOCK`.
    #[inline(always)]
    pub unsafe fn weights<S: Simd>(&self, s: S, j: usize) -> [S::F; 8] {
        // SAFETY: the caller's promise.
        let (fx, fy, fz) = unsafe {
            let [fx, fy, fz] = &self.fraction;
            (s.load(fx.as_ptr().add(j)), s.load(fy.as_ptr().add(j)), s.load(fz.as_ptr().add(j)))
        };
        let one = s.splat(1.0);
        let (gx, gy, gz) = (s.sub(one, fx), s.sub(one, fy), s.sub(one, fz));
        let yz = [s.mul(gy, gz), s.mul(fy, gz), s.mul(gy, fz), s.mul(fy, fz)];
        std::array::from_fn(|c| s.mul(if c & 1 == 0 { gx } else { fx }, yz[c >> 1]))
    }
}
