//! Which table entries samples can reach, and how many vertices share one.
//!
//! A vertex of a level is **live** when a sample in an occupied cell can touch it, as one of the eight corners around
//! it. Hashing maps many vertices to one entry; what matters to a picture is how many *live* ones share it.

use nerve_core::ops::hash_grid::{GridLevel, HASH_Y, HASH_Z};
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
    #[cfg(test)]
    pub fn everything() -> Self {
        Self { rows: vec![u128::MAX; SIDE * SIDE] }
    }

    /// Cells in it.
    #[cfg(test)]
    pub fn cells(&self) -> usize {
        self.rows.iter().map(|row| row.count_ones() as usize).sum()
    }
}

/// How far outside of its cell a sample may be found, by rounding, in the unit cube.
const SLACK: f32 = 2e-6;

/// Vertices that samples in cell `cell` of [`Space`] touch along one axis.
fn touched(level: &GridLevel, cell: usize) -> RangeInclusive<u32> {
    let at = |c: usize, slack: f32| {
        let x = (c as f32 / SIDE as f32 + slack).clamp(0.0, 1.0);
        (x * level.scale + 0.5).floor() as u32
    };
    at(cell, -SLACK)..=(at(cell + 1, SLACK) + 1).min(level.resolution)
}

/// From this many live vertices an entry on, they are counted but not looked up: a hash leaves no entry without any
/// (the chance is e^-64), and spreads them evenly.
const CROWDED: u64 = 64;

/// Who shares a level's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Live vertices.
    pub live: u64,
    /// Live vertices of each entry; of a crowded table, the mean.
    pub counts: Vec<u32>,
    /// So many that they were not looked up.
    pub crowded: bool,
}

/// Per entry of a level's table, how many live vertices have it.
pub fn sharing(level: &GridLevel, space: &Space) -> Sharing {
    let axis = Axis::new(level);
    let mut live = 0u64;
    live_runs(&axis, space, |y, z, run| {
        let run = u64::from(run.end() - run.start()) + 1;
        live = live.saturating_add(run.saturating_mul(axis.count(y)).saturating_mul(axis.count(z)));
    });
    let crowded = !level.dense && live > CROWDED * level.entries as u64;
    let mean = if crowded { (live / level.entries as u64).min(u32::MAX.into()) as u32 } else { 0 };
    let mut counts = vec![mean; level.entries];
    if !crowded {
        live_runs(&axis, space, |y, z, run| {
            for z in axis.vertices(z) {
                for y in axis.vertices(y) {
                    run.clone().for_each(|x| counts[entry(level, [x, y, z])] += 1);
                }
            }
        });
    }
    Sharing { live, counts, crowded }
}

/// The vertices of one axis, in groups of neighbors that the same cells touch: some 400 groups however fine the level.
struct Axis {
    /// Vertices that each cell touches.
    touched: Vec<RangeInclusive<u32>>,
    /// The first vertex of each group, and the cells that touch it.
    groups: Vec<(u32, Vec<usize>)>,
    /// Behind the last vertex.
    end: u32,
}

impl Axis {
    fn new(level: &GridLevel) -> Self {
        let touched: Vec<_> = (0..SIDE).map(|cell| touched(level, cell)).collect();
        // A group begins where a cell's vertices begin or have ended.
        let mut edges: Vec<u32> = touched.iter().flat_map(|t| [*t.start(), *t.end() + 1]).collect();
        edges.sort_unstable();
        edges.dedup();
        let end = edges.pop().unwrap_or_default();
        let cells = |vertex: u32| (0..SIDE).filter(|cell| touched[*cell].contains(&vertex)).collect();
        let groups = edges.into_iter().map(|first| (first, cells(first))).collect();
        Self { touched, groups, end }
    }

    fn vertices(&self, group: usize) -> std::ops::Range<u32> {
        self.groups[group].0..self.groups.get(group + 1).map_or(self.end, |next| next.0)
    }

    fn count(&self, group: usize) -> u64 {
        self.vertices(group).len() as u64
    }
}

/// Calls `run` with every stretch of live vertices along x, and the groups of y and z; none overlap.
fn live_runs(axis: &Axis, space: &Space, mut run: impl FnMut(usize, usize, RangeInclusive<u32>)) {
    let mut plane = [0u128; SIDE];
    for (z, (_, cells)) in axis.groups.iter().enumerate() {
        plane.fill(0);
        for cell in cells {
            let rows = &space.rows[cell * SIDE..(cell + 1) * SIDE];
            plane.iter_mut().zip(rows).for_each(|(all, row)| *all |= row);
        }
        for (y, (_, cells)) in axis.groups.iter().enumerate() {
            let mut left = cells.iter().fold(0, |row, cell| row | plane[*cell]);
            let mut open: Option<RangeInclusive<u32>> = None;
            while left != 0 {
                // A stretch of occupied cells, as far as they are neighbors.
                let first = left.trailing_zeros();
                let count = (left >> first).trailing_ones();
                let last = (first + count - 1) as usize;
                left &= if last == SIDE - 1 { 0 } else { u128::MAX << (last + 1) };
                let (from, to) = (*axis.touched[first as usize].start(), *axis.touched[last].end());
                open = Some(match open.take() {
                    Some(before) if from <= before.end() + 1 => *before.start()..=to,
                    Some(before) => {
                        run(y, z, before);
                        from..=to
                    }
                    None => from..=to,
                });
            }
            if let Some(last) = open {
                run(y, z, last);
            }
        }
    }
}

/// Where a vertex's features are.
fn entry(level: &GridLevel, [x, y, z]: [u32; 3]) -> usize {
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
pub fn collisions(levels: &[GridLevel], space: &Space) -> Vec<Collisions> {
    levels
        .par_iter()
        .with_max_len(1)
        .map(|level| {
            let Sharing { live, counts, crowded } = sharing(level, space);
            let squares: f64 = counts.iter().map(|c| f64::from(*c).powi(2)).sum();
            Collisions {
                resolution: level.resolution,
                entries: level.entries,
                vertices: u64::from(level.stride()).saturating_pow(3),
                live,
                used: counts.iter().filter(|c| **c > 0).count(),
                alone: counts.iter().filter(|c| **c == 1).count(),
                crowd: match crowded {
                    // Those of a Poisson distribution.
                    true => 1.0 + live as f64 / level.entries as f64,
                    false => squares / (live as f64).max(1.0),
                },
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
            let found = sharing(&level, &space);
            let mut left = found.counts.clone();
            vertices.iter().for_each(|v| left[entry(&level, *v)] -= 1);
            // What rounding might add: a layer of vertices where a cell's face lies on one.
            let more: u32 = left.iter().sum();
            assert_eq!(found.live, vertices.len() as u64 + u64::from(more));
            assert!(more as usize * 5 < vertices.len(), "{more} of {}: {level:?}", vertices.len());
        }
    }

    /// Crowded tables, too: their crowd is what counting would give, about.
    #[test]
    fn all_of_space_touches_every_vertex() {
        let config =
            HashGridConfig { levels: 4, log2_entries: 9, finest_resolution: 128, ..Default::default() };
        for level in config.levels().unwrap() {
            let [c] = &collisions(&[level], &Space::everything())[..] else { panic!() };
            assert_eq!(c.live, c.vertices);
            let mut counts = vec![0.0; level.entries];
            for z in 0..level.stride() {
                for y in 0..level.stride() {
                    (0..level.stride()).for_each(|x| counts[entry(&level, [x, y, z])] += 1.0);
                }
            }
            let crowd = counts.iter().map(|c| c * c).sum::<f64>() / c.live as f64;
            assert!((c.crowd / crowd - 1.0).abs() < 0.02, "{} {crowd}", c.crowd);
        }
    }

    /// The finest level that can be asked for.
    #[test]
    fn fine_levels_take_no_time() {
        let config = HashGridConfig { levels: 2, finest_resolution: 1 << 22, ..Default::default() };
        let level = config.levels().unwrap()[1];
        let found = sharing(&level, &Space::everything());
        assert!(found.crowded && found.live > 1 << 60, "{}", found.live);
    }

    #[test]
    fn cells_of_coarser_cascades_cover_what_they_overlap() {
        let mut bits = Bitfield::new(2, false);
        bits.set(CELLS + morton::encode([64, 3, 127]) as usize, true);
        let only = |cell: [usize; 3]| {
            let mut rows = vec![0; SIDE * SIDE];
            rows[cell[2] * SIDE + cell[1]] = 1 << cell[0];
            Space { rows }
        };
        // The box has side 2, as has the coarser cascade: its cells are the space's.
        assert_eq!(Space::occupied(&bits, 2.0), only([64, 3, 127]));
        // Cells of the finer one are half as large, in the middle.
        let mut fine = Bitfield::new(2, false);
        fine.set(morton::encode([0, 1, 127]) as usize, true);
        assert_eq!(Space::occupied(&fine, 2.0), only([32, 32, 95]));
        // In a box of side 1 the coarser cascade's are twice as large, and half of them outside.
        let mut coarse = Bitfield::new(2, false);
        coarse.set(CELLS + morton::encode([64, 64, 64]) as usize, true);
        coarse.set(CELLS + morton::encode([0, 64, 64]) as usize, true);
        assert_eq!(Space::occupied(&coarse, 1.0).cells(), 8);
    }
}
