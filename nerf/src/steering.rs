//! What the saliency grid says about space without asking the field.
//!
//! Features are scaled by the saliency p. Where p is below [`CLOSED`] all over a cell, next to nothing of them is
//! left, the density network sees zeros, and the density is `exp(0) = 1` at most, a third of what makes a cell worth
//! a sample: such a cell is **closed**. p is the sigmoid of a trilinear function, which is largest at a corner, so
//! the corners decide.

use nerve_core::ops::hash_grid::{BLOCK, Points};
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, morton};
use nerve_core::ops::saliency;
use nerve_core::simd::Isa;
use rayon::prelude::*;

/// Saliency below which a place is closed.
pub const CLOSED: f32 = 0.01;

/// The logit of a saliency.
fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

/// The share of saliency cells that are closed at their centres.
pub fn closed_share(grid: &[f32]) -> f64 {
    let limit = logit(CLOSED);
    grid.iter().filter(|g| **g < limit).count() as f64 / grid.len().max(1) as f64
}

/// The cells of an occupancy grid of `cascades` cascades, around a render box of side `box_side`, that are not
/// closed by the saliency `grid` of `side^3` logits.
pub fn open_cells(grid: &[f32], side: usize, cascades: usize, box_side: f32) -> Bitfield {
    let limit = logit(CLOSED);
    let corners: Vec<Vec<f32>> = (0..cascades).map(|c| corners(grid, side, c, box_side)).collect();
    let mut open = Bitfield::new(cascades, false);
    open.refill(|word| {
        let (cascade, first) = (word * 64 / CELLS, (word * 64 % CELLS) as u32);
        (0..64).fold(0, |bits, i| {
            let [x, y, z] = morton::decode(first + i).map(|c| c as usize);
            let row = |y: usize, z: usize| {
                let at = (z * STRIDE + y) * STRIDE + x;
                corners[cascade][at].max(corners[cascade][at + 1])
            };
            let highest = row(y, z).max(row(y + 1, z)).max(row(y, z + 1)).max(row(y + 1, z + 1));
            bits | u64::from(highest >= limit) << i
        })
    });
    open
}

/// Corners of cells per axis.
const STRIDE: usize = SIDE + 1;

/// Logits at the corners of one cascade's cells, x fastest. What lies outside the box has its border's.
fn corners(grid: &[f32], side: usize, cascade: usize, box_side: f32) -> Vec<f32> {
    let place = |i: usize| ((i as f32 / SIDE as f32 - 0.5) * (1u32 << cascade) as f32) / box_side + 0.5;
    let padded = STRIDE.next_multiple_of(BLOCK);
    let x: Vec<f32> = (0..padded).map(|i| place(i.min(SIDE))).collect();
    let mut all = vec![0.0; STRIDE * STRIDE * STRIDE];
    all.par_chunks_mut(STRIDE * STRIDE).enumerate().for_each(|(iz, plane)| {
        let (mut y, z, mut out) = (vec![0.0; padded], vec![place(iz); padded], vec![0.0; padded]);
        for (iy, row) in plane.chunks_exact_mut(STRIDE).enumerate() {
            y.fill(place(iy));
            saliency::forward(Isa::best(), side, grid, Points { x: &x, y: &y, z: &z }, &mut out);
            row.copy_from_slice(&out[..STRIDE]);
        }
    });
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_core::ops::saliency::reference;

    /// One open logit in a closed grid: the cells around it that it reaches are open, and no others.
    #[test]
    fn a_cell_is_open_where_any_corner_is() {
        let (side, at) = (16, [5, 9, 2]);
        let mut grid = vec![-10.0; side * side * side];
        grid[(at[2] * side + at[1]) * side + at[0]] = 10.0;
        let wide: Vec<f64> = grid.iter().map(|g| f64::from(*g)).collect();
        for (cascades, box_side) in [(1, 1.0f32), (2, 2.0)] {
            let open = open_cells(&grid, side, cascades, box_side);
            let mut count = 0;
            for cell in 0..cascades * CELLS {
                let size = f64::from(1u32 << (cell / CELLS)) / SIDE as f64;
                let corner = morton::decode((cell % CELLS) as u32).map(f64::from);
                let highest = (0..8)
                    .map(|k| {
                        let unit = [0, 1, 2].map(|a| {
                            let c = corner[a] + f64::from(k >> a & 1) - SIDE as f64 / 2.0;
                            c * size / f64::from(box_side) + 0.5
                        });
                        reference::logit(side, &wide, unit)
                    })
                    .fold(f64::NEG_INFINITY, f64::max);
                if (highest - f64::from(logit(CLOSED))).abs() > 1e-3 {
                    assert_eq!(open.get(cell), highest > f64::from(logit(CLOSED)), "{cell}");
                }
                count += usize::from(open.get(cell));
            }
            assert!(count > 0 && count < cascades * CELLS / 50, "{count}");
        }
    }

    #[test]
    fn the_closed_share_counts_cells() {
        assert_eq!(closed_share(&[-10.0, 0.0, -4.6, -4.5]), 0.5);
    }
}
