//! The occupancy grid (Instant-NGP, appendix E.2): which cells are worth a sample.
//!
//! Each cell holds a running maximum of densities seen in it, and is occupied while the optical thickness of one shortest
//! step through it exceeds `min(0.01, mean)`. What is rendered needs the occupied cells alone; in training a [`Refresh`]
//! keeps them true.

mod refresh;

pub use refresh::{EVERY, EVERY_STEERED, Refresh};

use nerve_core::ops::march::{Bitfield, CELLS, SIDE, Steps, morton};
use rayon::prelude::*;

const THICKNESS: f32 = 0.01;

/// Densities of all cells and the bits that rays are marched through.
#[derive(Debug)]
pub struct Occupancy {
    /// Cascade after cascade, Morton order.
    density: Vec<f32>,
    bits: Bitfield,
    /// What [`Self::least`] is where the densities are not known.
    held: Option<f32>,
    steps: Steps,
}

impl Occupancy {
    /// Everything occupied, for a render box of side `box_side` (a power of two).
    pub fn new(box_side: u32, steps: Steps) -> Self {
        let cascades = Self::cascades(box_side);
        let (density, bits) = (vec![0.0; cascades * CELLS], Bitfield::new(cascades, true));
        Self { density, bits, held: None, steps }
    }

    /// Cascades that a render box of side `box_side` needs.
    pub fn cascades(box_side: u32) -> usize {
        box_side.max(1).ilog2() as usize + 1
    }

    /// The occupied cells.
    pub fn bits(&self) -> &Bitfield {
        &self.bits
    }

    /// Densities of all cells, for a checkpoint.
    pub fn density(&self) -> &[f32] {
        &self.density
    }

    /// Leaves only these cells occupied, before anything is known of densities.
    pub fn limit(&mut self, bits: Bitfield) {
        self.bits = bits;
    }

    /// Takes over densities from a checkpoint. `step` tells whether any refresh had happened.
    pub fn restore(&mut self, density: Vec<f32>, step: u64) {
        self.density = density;
        if Refresh::has_happened(step) {
            self.threshold();
        }
    }

    /// Takes over the occupied cells themselves, and the density that made them so, of a field that is not trained
    /// further.
    pub fn hold(&mut self, bits: Bitfield, least: f32) {
        (self.bits, self.held) = (bits, Some(least));
    }

    /// Whether a point of the render box lies in an occupied cell of the finest cascade around it; the point relative to
    /// the box's middle, in lengths of the unit frame.
    pub fn holds(&self, point: [f64; 3]) -> bool {
        let reach = point.iter().fold(0.0f64, |reach, p| reach.max(2.0 * p.abs()));
        let last = self.bits.cascades() - 1;
        let cascade = (0..last).find(|cascade| reach <= f64::from(1u32 << cascade)).unwrap_or(last);
        let size = f64::from(1u32 << cascade);
        let cell = point.map(|p| ((p / size + 0.5) * SIDE as f64).clamp(0.0, (SIDE - 1) as f64) as u32);
        self.bits.get(cascade * CELLS + morton::encode(cell) as usize)
    }

    /// The share of occupied cells.
    pub fn share(&self) -> f64 {
        self.bits.count() as f64 / self.density.len() as f64
    }

    /// The density above which a cell is occupied.
    pub fn least(&self) -> f32 {
        if let Some(least) = self.held {
            return least;
        }
        // The mean by fixed chunks, so that it does not depend on the number of threads.
        let sums: Vec<f64> =
            self.density.par_chunks(1 << 15).map(|c| c.iter().map(|d| f64::from(*d)).sum()).collect();
        let mean = (sums.iter().sum::<f64>() / self.density.len() as f64) as f32;
        (THICKNESS / self.steps.min).min(mean)
    }

    /// Sets the bits from the densities.
    fn threshold(&mut self) {
        let (least, density) = (self.least(), &self.density);
        self.bits.refill(|word| {
            let cells = density[64 * word..64 * (word + 1)].iter();
            cells.enumerate().fold(0, |bits, (i, d)| bits | u64::from(*d > least) << i)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_looked_up_in_the_finest_cascade_around_it() {
        let mut grid = Occupancy::new(2, Steps::new(1024, 2));
        let mut bits = Bitfield::new(2, false);
        bits.set(morton::encode([64, 64, 127]) as usize, true);
        bits.set(CELLS + morton::encode([64, 64, 96]) as usize, true);
        bits.set(CELLS + morton::encode([64, 64, 95]) as usize, true);
        grid.limit(bits);
        let held = [0.4, 0.497, 0.5, 0.501, 0.507, 0.52].map(|z| grid.holds([0.001, 0.001, z]));
        assert_eq!(held, [false, true, true, true, true, false]);
        // The coarser cascade's cell does not count where there is a finer one.
        assert!(!grid.holds([0.001, 0.001, 0.49]) && !grid.holds([1.0, -1.0, 1.0]));
    }
}
