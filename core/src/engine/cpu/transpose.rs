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
const GROUP: usize = 8;

impl Layout {
    fn check(&self, n: usize, levels: &[f32], rows: &[f32]) {
        let n = n.next_multiple_of(GROUP);
        let fits = self.levels == 0
            || n == 0
            || (levels.len() >= (self.levels - 1) * self.level_stride + n * self.features
                && rows.len() >= (n - 1) * self.row_stride + self.levels * self.features);
        assert!(fits && self.levels * self.features <= self.row_stride, "transpose: {n} rows of {self:?}");
    }

    /// Levels that are moved in squares of pairs: whole ones, and only pairs.
    fn in_squares(&self, isa: Isa) -> usize {
        let side = isa.lanes() / 2;
        if self.features == 2 { self.levels / side * side } else { 0 }
    }

    /// Copies the first `n` samples' features to rows. Up to [`GROUP`] rows may be written behind them.
    ///
    /// # Panics
    /// If a slice is too short for whole groups.
    pub fn to_rows(self, isa: Isa, n: usize, levels: &[f32], rows: &mut [f32]) {
        self.check(n, levels, rows);
        let done = self.in_squares(isa);
        let (from_stride, to_stride) = (self.level_stride, self.row_stride);
        isa.run(Squares { rows: done, columns: n, from: levels, from_stride, to: rows, to_stride });
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
        let done = self.in_squares(isa);
        let (from_stride, to_stride) = (self.row_stride, self.level_stride);
        isa.run(Squares { rows: n, columns: done, from: rows, from_stride, to: levels, to_stride });
        let features = self.features;
        for level in done..self.levels {
            let to = levels[level * self.level_stride..].chunks_exact_mut(features).take(n);
            for (to, from) in to.zip(rows[level * features..].chunks(self.row_stride)) {
                to.copy_from_slice(&from[..features]);
            }
        }
    }
}

/// A matrix of pairs, transposed square by square: `rows` of `columns` pairs, both rounded up to whole squares,
/// with `from_stride` and `to_stride` values from row to row on either side.
struct Squares<'a> {
    rows: usize,
    columns: usize,
    from: &'a [f32],
    from_stride: usize,
    to: &'a mut [f32],
    to_stride: usize,
}

impl Kernel for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, columns, from, from_stride, to, to_stride } = self;
        let side = S::LANES / 2;
        for column in (0..columns).step_by(side) {
            for row in (0..rows).step_by(side) {
                let mut r = [s.splat(0.0); 8];
                // SAFETY: `check` has found room for samples rounded up to 8, of which `side` is a divisor, and the
                // levels are whole squares.
                unsafe {
                    for (i, r) in r[..side].iter_mut().enumerate() {
                        *r = s.load(from.as_ptr().add((row + i) * from_stride + 2 * column));
                    }
                    s.transpose_pairs(&mut r);
                    for (i, r) in r[..side].iter().enumerate() {
                        s.store(to.as_mut_ptr().add((column + i) * to_stride + 2 * row), *r);
                    }
                }
            }
        }
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
