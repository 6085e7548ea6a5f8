//! Ray marching through a cascaded occupancy bitfield (Instant-NGP, section 5.4 and appendix E.2).
//!
//! Cascade k is a grid of [`SIDE`]^3 cells over the cube of side 2^k centered at 0.5; cascade 0 is the unit cube.
//! Samples lie at `t_0 = near`, `t_{i+1} = t_i + dt(t_i)` with `dt(t) = clamp(t * cone, dt_min, dt_max)`; those in
//! unoccupied cells are skipped, by whole steps. A sample is looked up in the finest cascade that contains it and
//! whose cells are not shorter than its step.
//! Within a cascade cells are in Morton order, so that each 64-bit word is a block of 4^3 cells: an empty word is
//! left in one go, and so is, where there is one cascade only, an empty block of 16^3. Marching has no gradient: it
//! is a function, not a candle op.

mod cpu;
mod lanes;
pub mod morton;
mod ray;
#[cfg(test)]
pub(crate) mod reference;

pub use cpu::march;
pub use ray::{Live, Ray, Samples, Staged, Volume};

use rayon::prelude::*;

/// Cells a side of each cascade.
pub const SIDE: usize = 128;

/// Cells of one cascade.
pub const CELLS: usize = SIDE * SIDE * SIDE;

/// Samples of a ray that are found at a time, at most.
pub const MOST_SAMPLES: usize = 512;

/// Step lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Growth of a step per unit of distance; 0 for uniform steps.
    pub cone: f32,
    /// Shortest step.
    pub min: f32,
    /// Longest step.
    pub max: f32,
}

impl Steps {
    /// `per_unit` steps along the diagonal of the unit cube, for a render box of side `box_side`: uniform in the
    /// unit cube, growing with distance (cone 1/256) beyond it.
    pub fn new(per_unit: u32, box_side: u32) -> Self {
        let min = 3f32.sqrt() / per_unit as f32;
        let cone = if box_side > 1 { 1.0 / 256.0 } else { 0.0 };
        Self { cone, min, max: min * box_side as f32 }
    }

    /// The step at distance `t`.
    #[inline]
    pub fn at(&self, t: f32) -> f32 {
        (t * self.cone).clamp(self.min, self.max)
    }
}

/// Occupied cells of one or more cascades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    /// One bit per cell: cascade after cascade, in Morton order.
    words: Vec<u64>,
    /// One bit per word that is not empty, so that one of these words is a block of 16^3 cells.
    blocks: Vec<u64>,
    cascades: usize,
}

impl Bitfield {
    /// All cells of `cascades` cascades set to `occupied`.
    pub fn new(cascades: usize, occupied: bool) -> Self {
        let all = if occupied { u64::MAX } else { 0 };
        Self { words: vec![all; cascades * CELLS / 64], blocks: vec![all; cascades * CELLS / 4096], cascades }
    }

    /// The number of cascades.
    pub fn cascades(&self) -> usize {
        self.cascades
    }

    /// Sets the cell with this index (cascade * [`CELLS`] + Morton code).
    pub fn set(&mut self, cell: usize, occupied: bool) {
        let put = |word: &mut u64, bit: usize, on: bool| {
            if on { *word |= 1 << (bit % 64) } else { *word &= !(1 << (bit % 64)) }
        };
        put(&mut self.words[cell / 64], cell, occupied);
        put(&mut self.blocks[cell / 4096], cell / 64, self.words[cell / 64] != 0);
    }

    /// Whether the cell with this index is occupied.
    pub fn get(&self, cell: usize) -> bool {
        self.words[cell / 64] >> (cell % 64) & 1 == 1
    }

    /// The number of occupied cells.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// All words: 64 cells each, cascade after cascade, in Morton order.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Sets every word to what `cells` gives for its index, in parallel.
    pub fn refill(&mut self, cells: impl Fn(usize) -> u64 + Sync) {
        let words = self.words.par_chunks_mut(64).zip(&mut self.blocks).with_min_len(8).enumerate();
        words.for_each(|(block, (words, bits))| {
            *bits = 0;
            for (i, word) in words.iter_mut().enumerate() {
                *word = cells(block * 64 + i);
                *bits |= u64::from(*word != 0) << i;
            }
        });
    }

    /// One bit per word of [`Self::words`] that is not empty: each of these words is a block of 16^3 cells.
    pub fn blocks(&self) -> &[u64] {
        &self.blocks
    }
}

/// Distances at which a ray enters and leaves the cube of side `side` centered at 0.5; `enter >= leave` if it misses.
pub fn clip(origin: [f32; 3], direction: [f32; 3], side: f32) -> (f32, f32) {
    let (mut enter, mut leave) = (0.0f32, f32::INFINITY);
    for axis in 0..3 {
        let (o, d) = (origin[axis] - 0.5, direction[axis]);
        let half = side / 2.0;
        if d.abs() < 1e-12 {
            if o.abs() > half {
                return (f32::INFINITY, 0.0);
            }
            continue;
        }
        let (a, b) = ((-half - o) / d, (half - o) / d);
        enter = enter.max(a.min(b));
        leave = leave.min(a.max(b));
    }
    (enter, leave)
}

#[cfg(test)]
mod tests;
