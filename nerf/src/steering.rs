//! What the saliency grid says about space without asking the field.
//!
//! Features are scaled by the saliency p. Where p is below [`CLOSED`] all over a cell, next to nothing of them is
//! left, the density network sees about zero, and the density is about `exp(0) = 1`, with default steps a third of what
//! makes a cell worth a sample: such a cell is **closed**. p is the sigmoid of a function that is trilinear between
//! logits, so it is largest at a logit or at a corner of the cell: these decide.

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

/// The saliencies of cells that are open at their centres; NaN for the others.
pub fn open_saliencies(grid: &[f32]) -> Vec<f32> {
    let limit = logit(CLOSED);
    grid.iter().map(|g| if *g < limit { f32::NAN } else { 1.0 / (1.0 + (-g).exp()) }).collect()
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
    for (i, _) in grid.iter().enumerate().filter(|(_, g)| **g >= limit) {
        let at = [i % side, i / side % side, i / (side * side)];
        for cascade in 0..cascades {
            // Where the logit lies, in cells of the cascade.
            let size = (1u32 << cascade) as f32;
            let place = at.map(|c| {
                let unit = ((c as f32 + 0.5) / side as f32 - 0.5) * box_side;
                ((unit / size + 0.5) * SIDE as f32).floor()
            });
            if place.iter().all(|c| (0.0..SIDE as f32).contains(c)) {
                open.set(cascade * CELLS + morton::encode(place.map(|c| c as u32)) as usize, true);
            }
        }
    }
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
    use crate::config::Method;
    use crate::hollow::{HollowConfig, Switch};
    use crate::{NerfConfig, Trainer};
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::scene::LoadOptions;
    use std::sync::Arc;

    /// The logit at `position` in the unit cube, in f64: a logit lies at the centre of its cell.
    fn trilinear(side: usize, grid: &[f64], position: [f64; 3]) -> f64 {
        let at = position.map(|x| (x * side as f64 - 0.5).clamp(0.0, (side - 1) as f64));
        let low = at.map(|x| (x as usize).min(side - 2));
        let corner = |k: usize| {
            let upper = [k & 1, k >> 1 & 1, k >> 2 & 1];
            let weight = |a: usize| (1.0 - upper[a] as f64 - (at[a] - low[a] as f64)).abs();
            let [x, y, z] = [0, 1, 2].map(|a| low[a] + upper[a]);
            weight(0) * weight(1) * weight(2) * grid[(z * side + y) * side + x]
        };
        (0..8).map(corner).sum()
    }

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
                        trilinear(side, &wide, unit)
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

    /// A logit in the middle of a cell, which no corner sees.
    #[test]
    fn fine_grids_lose_no_logit() {
        for (side, cascades, box_side) in [(96, 1, 1.0), (128, 1, 1.0), (128, 2, 2.0)] {
            let mut grid = vec![-10.0; side * side * side];
            let at = [5usize, 40, 77];
            grid[(at[2] * side + at[1]) * side + at[0]] = 10.0;
            let open = open_cells(&grid, side, cascades, box_side);
            let unit = at.map(|c| ((c as f32 + 0.5) / side as f32 - 0.5) * box_side);
            for cascade in 0..cascades {
                let cell = unit.map(|u| (u / (1u32 << cascade) as f32 + 0.5) * SIDE as f32);
                if cell.iter().all(|c| (0.0..SIDE as f32).contains(c)) {
                    let code = morton::encode(cell.map(|c| c as u32)) as usize;
                    assert!(open.get(cascade * CELLS + code), "{side} {cascade}");
                }
            }
        }
    }

    /// Right after a refresh, nothing that the grid says is closed is occupied; without steering, something is.
    #[test]
    fn what_is_closed_is_not_sampled() {
        let demo = DemoConfig { resolution: 48, train: 12, test: 1, ..DemoConfig::default() };
        let scene = Arc::new(demo::load(&demo, &LoadOptions::default(), &|_, _| {}).unwrap());
        let occupied_although_closed = |steering, stop: u64| {
            let mut config = NerfConfig::default();
            config.grid.log2_entries = 12;
            (config.train.run.steps, config.train.batch_samples) = (Some(400), 8192);
            config.field.method = Method::Hollow;
            let hollow = HollowConfig { steering, rho: 1.0, ..HollowConfig::default() };
            config.hollow = HollowConfig { saliency_side: 32, steer_from: 0.2, ..hollow };
            let mut trainer = Trainer::new(config, scene.clone(), 2).unwrap();
            (0..stop).for_each(|_| assert!(trainer.step().unwrap().loss.is_finite()));
            let open = open_cells(&trainer.model().saliency().unwrap().unwrap(), 32, 1, 1.0);
            let bits = trainer.model().occupancy.bits().words().iter().zip(open.words());
            bits.map(|(bits, open)| (bits & !open).count_ones()).sum::<u32>()
        };
        // A share of 0.2 comes before the last full refresh, which must not be missed.
        assert_eq!(occupied_although_closed(Switch::On, 384), 0);
        assert!(occupied_although_closed(Switch::Off, 384) > 100);
        assert!(occupied_although_closed(Switch::On, 250) > 100);
    }

    #[test]
    fn the_closed_share_counts_cells() {
        assert_eq!(closed_share(&[-10.0, 0.0, -4.6, -4.5]), 0.5);
    }
}
