//! Which table entries samples can reach, and how many vertices share one.
//!
//! A vertex of a level is **live** when a sample in an occupied cell can touch it, as one of the eight corners around
//! it. Hashing maps many vertices to one entry; what matters to a picture is how many *live* ones share it.

use nerve_core::ops::hash_grid::{HASH_Y, HASH_Z, Level};
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, morton};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Occupied space in the encoding's unit cube: `SIDE^3` cells, a row along x in each word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    rows: Vec<u128>,
}

/// A row of cells fits a word.
const _: () = assert!(SIDE == 128);

impl Space {
    /// The occupied cells of all cascades around a render box of side `box_side`. Those of coarser cascades mark every
    /// cell they overlap.
    pub fn occupied(bits: &Bitfield, box_side: f32) -> Self {
        let mut rows = vec![0u128; SIDE * SIDE];
        for (index, word) in bits.words().iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let cell = index * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let size = (1u32 << (cell / CELLS)) as f32 / box_side;
                let [x, y, z] = morton::decode((cell % CELLS) as u32).map(|c| {
                    // In cells of the unit cube.
                    let at = |c: u32| (c as f32 - SIDE as f32 / 2.0) * size + SIDE as f32 / 2.0;
                    let (from, to) = (at(c).floor().max(0.0), at(c + 1).ceil().min(SIDE as f32));
                    from as usize..to as usize
                });
                for z in z {
                    for y in y.clone() {
                        rows[z * SIDE + y] |= x.clone().fold(0, |row, x| row | 1 << x);
                    }
                }
            }
        }
        Self { rows }
    }

    /// All of space.
    pub fn everything() -> Self {
        Self { rows: vec![u128::MAX; SIDE * SIDE] }
    }

    /// Cells in it.
    pub fn cells(&self) -> usize {
        self.rows.iter().map(|row| row.count_ones() as usize).sum()
    }
}

/// Vertices that samples in cell `cell` of [`Space`] touch along one axis.
fn touched(level: &Level, cell: usize) -> RangeInclusive<u32> {
    let at = |c: usize| (c as f32 / SIDE as f32 * level.scale + 0.5).floor() as u32;
    at(cell)..=(at(cell + 1) + 1).min(level.resolution)
}

/// Per entry of a level's table, how many live vertices have it.
pub fn sharing(level: &Level, space: &Space) -> Vec<u32> {
    let side = level.stride();
    // Along one axis: the cells that touch each vertex.
    let mut touching: Vec<Vec<usize>> = vec![Vec::new(); side as usize];
    let mut masks = vec![0u128; side as usize];
    for cell in 0..SIDE {
        for vertex in touched(level, cell) {
            touching[vertex as usize].push(cell);
            masks[vertex as usize] |= 1 << cell;
        }
    }
    let mut counts = vec![0u32; level.entries];
    let mut row_counts = |y: u32, z: u32, row: u128| {
        for x in (0..side).filter(|x| masks[*x as usize] & row != 0) {
            counts[entry(level, [x, y, z])] += 1;
        }
    };
    for z in 0..side {
        for y in 0..side {
            let rows = touching[z as usize]
                .iter()
                .flat_map(|cz| touching[y as usize].iter().map(move |cy| (cz * SIDE) + cy));
            let row = rows.fold(0, |all, at| all | space.rows[at]);
            if row != 0 {
                row_counts(y, z, row);
            }
        }
    }
    counts
}

/// Where a vertex's features are.
fn entry(level: &Level, [x, y, z]: [u32; 3]) -> usize {
    if level.dense {
        ((z * level.stride() + y) * level.stride() + x) as usize
    } else {
        (x ^ y.wrapping_mul(HASH_Y) ^ z.wrapping_mul(HASH_Z)) as usize & (level.entries - 1)
    }
}

/// How a level's entries are shared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collisions {
    /// Cells per axis.
    pub resolution: u32,
    /// Entries of the table.
    pub entries: usize,
    /// All vertices.
    pub vertices: u64,
    /// Live vertices.
    pub live: u64,
    /// Entries that a live vertex has.
    pub used: usize,
    /// Live vertices that share their entry with no other.
    pub alone: usize,
    /// Mean number of live vertices in the entry of a live vertex, itself included: 1 without collisions.
    pub crowd: f64,
}

/// The levels' collisions where only `space` holds anything.
pub fn collisions(levels: &[Level], space: &Space) -> Vec<Collisions> {
    levels
        .par_iter()
        .with_max_len(1)
        .map(|level| {
            let counts = sharing(level, space);
            let live: u64 = counts.iter().map(|c| u64::from(*c)).sum();
            let squares: f64 = counts.iter().map(|c| f64::from(*c).powi(2)).sum();
            Collisions {
                resolution: level.resolution,
                entries: level.entries,
                vertices: u64::from(level.stride()).pow(3),
                live,
                used: counts.iter().filter(|c| **c > 0).count(),
                alone: counts.iter().filter(|c| **c == 1).count(),
                crowd: squares / (live as f64).max(1.0),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_core::ops::hash_grid::HashGridConfig;
    use std::collections::BTreeSet;

    fn some_cells() -> (Bitfield, Vec<[u32; 3]>) {
        let mut bits = Bitfield::new(1, false);
        let cells = [[0, 0, 0], [1, 0, 0], [64, 3, 127], [127, 127, 127], [60, 61, 62], [60, 62, 62]];
        for cell in cells {
            bits.set(morton::encode(cell) as usize, true);
        }
        (bits, cells.to_vec())
    }

    /// Against every corner of every sample on a fine lattice in every occupied cell.
    #[test]
    fn counts_are_those_of_the_vertices_that_samples_touch() {
        let (bits, cells) = some_cells();
        let space = Space::occupied(&bits, 1.0);
        assert_eq!(space.cells(), cells.len());
        let config =
            HashGridConfig { levels: 6, log2_entries: 12, finest_resolution: 700, ..Default::default() };
        for level in config.levels().unwrap() {
            let mut vertices = BTreeSet::new();
            let fine = 24;
            for cell in &cells {
                for step in 0..fine * fine * fine {
                    let part = [step % fine, step / fine % fine, step / fine / fine];
                    let low = [0, 1, 2].map(|a| {
                        let x = (cell[a] as f32 + part[a] as f32 / (fine - 1) as f32) / SIDE as f32;
                        (x * level.scale + 0.5).floor() as u32
                    });
                    for k in 0..8 {
                        vertices.insert([0, 1, 2].map(|a| low[a] + (k >> a & 1)));
                    }
                }
            }
            let mut want = vec![0; level.entries];
            vertices.iter().for_each(|v| want[entry(&level, *v)] += 1);
            assert_eq!(sharing(&level, &space), want, "{level:?}");
        }
    }

    #[test]
    fn all_of_space_touches_every_vertex() {
        let config =
            HashGridConfig { levels: 3, log2_entries: 10, finest_resolution: 150, ..Default::default() };
        for c in collisions(&config.levels().unwrap(), &Space::everything()) {
            assert_eq!(c.live, c.vertices);
            assert!(c.crowd >= 1.0 && c.used <= c.entries);
        }
    }

    #[test]
    fn cells_of_coarser_cascades_cover_what_they_overlap() {
        let mut bits = Bitfield::new(2, false);
        bits.set(CELLS + morton::encode([64; 3]) as usize, true);
        // The box has side 2, as has the coarser cascade: its cells are the space's.
        assert_eq!(Space::occupied(&bits, 2.0).cells(), 1);
        let mut fine = Bitfield::new(2, false);
        fine.set(morton::encode([0; 3]) as usize, true);
        assert_eq!(Space::occupied(&fine, 2.0).cells(), 1);
    }
}
