//! Between the encoding's layout, level after level, and the networks', row after row.

use crate::simd::{Isa, Kernel, Simd};

/// The extents of both layouts: `[level][sample][features]` with `level_stride` values from level to level, and
/// `[sample][level * features]` with `row_stride` values from row to row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub levels: usize,
    pub features: usize,
    pub level_stride: usize,
    pub row_stride: usize,
}

/// Samples that are moved at a time: both sides have room for whole groups.
pub(super) const GROUP: usize = 8;

impl Layout {
    fn check(&self, n: usize, levels: &[f32], rows: &[f32]) {
        let n = n.next_multiple_of(GROUP);
        let fits = self.levels == 0
            || n == 0
            || (levels.len() >= (self.levels - 1) * self.level_stride + n * self.features
                && rows.len() >= (n - 1) * self.row_stride + self.levels * self.features);
        assert!(fits && self.levels * self.features <= self.row_stride, "transpose: {n} rows of {self:?}");
    }

    /// Copies the first `n` samples' features to rows. Up to [`GROUP`] rows may be written behind them.
    ///
    /// # Panics
    /// If a slice is too short for whole groups.
    pub fn to_rows(self, isa: Isa, n: usize, levels: &[f32], rows: &mut [f32]) {
        self.check(n, levels, rows);
        let done = if self.features == 2 { isa.run(ToRows(self, n, levels, rows)) } else { 0 };
        let features = self.features;
        for level in done..self.levels {
            let from = levels[level * self.level_stride..].chunks_exact(features).take(n);
            for (from, to) in from.zip(rows[level * features..].chunks_mut(self.row_stride)) {
                to[..features].copy_from_slice(from);
            }
        }
    }

    /// Copies the first `n` rows to levels. Up to [`GROUP`] samples of every level may be written behind them.
    ///
    /// # Panics
    /// If a slice is too short for whole groups.
    pub fn to_levels(self, isa: Isa, n: usize, rows: &[f32], levels: &mut [f32]) {
        self.check(n, levels, rows);
        let done = if self.features == 2 { isa.run(ToLevels(self, n, rows, levels)) } else { 0 };
        let features = self.features;
        for level in done..self.levels {
            let to = levels[level * self.level_stride..].chunks_exact_mut(features).take(n);
            for (to, from) in to.zip(rows[level * features..].chunks(self.row_stride)) {
                to.copy_from_slice(&from[..features]);
            }
        }
    }
}

/// Returns the number of levels that it has copied.
struct ToRows<'a>(Layout, usize, &'a [f32], &'a mut [f32]);

impl Kernel for ToRows<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let Self(layout, n, levels, rows) = self;
        let side = S::LANES / 2;
        let done = layout.levels / side * side;
        for at in (0..n).step_by(side) {
            for level in (0..done).step_by(side) {
                let mut r = [s.splat(0.0); 8];
                // SAFETY: `check` has found room for n samples rounded up to 8, of which `side` is a divisor.
                unsafe {
                    for (i, r) in r[..side].iter_mut().enumerate() {
                        *r = s.load(levels.as_ptr().add((level + i) * layout.level_stride + 2 * at));
                    }
                    s.transpose_pairs(&mut r);
                    for (i, r) in r[..side].iter().enumerate() {
                        s.store(rows.as_mut_ptr().add((at + i) * layout.row_stride + 2 * level), *r);
                    }
                }
            }
        }
        done
    }
}

/// Returns the number of levels that it has copied.
struct ToLevels<'a>(Layout, usize, &'a [f32], &'a mut [f32]);

impl Kernel for ToLevels<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let Self(layout, n, rows, levels) = self;
        let side = S::LANES / 2;
        let done = layout.levels / side * side;
        for at in (0..n).step_by(side) {
            for level in (0..done).step_by(side) {
                let mut r = [s.splat(0.0); 8];
                // SAFETY: as in `ToRows`.
                unsafe {
                    for (i, r) in r[..side].iter_mut().enumerate() {
                        *r = s.load(rows.as_ptr().add((at + i) * layout.row_stride + 2 * level));
                    }
                    s.transpose_pairs(&mut r);
                    for (i, r) in r[..side].iter().enumerate() {
                        s.store(levels.as_mut_ptr().add((level + i) * layout.level_stride + 2 * at), *r);
                    }
                }
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of levels and features, on every path: there and back again.
    #[test]
    fn rows_are_levels_transposed() {
        for (levels, features) in [(1, 1), (3, 2), (4, 2), (8, 2), (13, 2), (16, 2), (5, 4), (3, 8)] {
            let n = 29;
            let layout = Layout { levels, features, level_stride: 32 * features + 5, row_stride: 40 };
            let source: Vec<f32> = (0..levels * layout.level_stride).map(|i| i as f32).collect();
            for isa in Isa::available() {
                let mut rows = vec![-1.0; 32 * layout.row_stride];
                layout.to_rows(isa, n, &source, &mut rows);
                for (sample, row) in rows.chunks(layout.row_stride).take(n).enumerate() {
                    for (column, value) in row.iter().enumerate().take(levels * features) {
                        let (level, feature) = (column / features, column % features);
                        let want = level * layout.level_stride + sample * features + feature;
                        assert_eq!(*value, want as f32, "{isa:?} {layout:?}");
                    }
                    assert!(row[levels * features..].iter().all(|v| *v == -1.0), "padding is left alone");
                }
                let mut back = vec![-1.0; source.len()];
                layout.to_levels(isa, n, &rows, &mut back);
                for (back, source) in back.chunks(layout.level_stride).zip(source.chunks(layout.level_stride))
                {
                    assert_eq!(back[..n * features], source[..n * features], "{isa:?} {layout:?}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "transpose: 16 rows")]
    fn slices_without_room_for_whole_groups_are_refused() {
        let layout = Layout { levels: 2, features: 2, level_stride: 32, row_stride: 4 };
        layout.to_rows(Isa::best(), 9, &[0.0; 64], &mut [0.0; 36]);
    }
}
