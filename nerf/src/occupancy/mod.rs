//! The occupancy grid (Instant-NGP, appendix E.2): which cells are worth a sample.
//!
//! Each cell holds a running maximum of densities seen in it, and is occupied while the optical thickness of one shortest
//! step through it exceeds `min(0.01, mean)`. What is rendered needs the occupied cells alone; in training a [`Refresh`]
//! keeps them true. Of a capture, a cell's thickness counts by the light that gets to it (see [`Light`]).

mod census;
mod follow;
mod light;
mod refresh;

pub(crate) use census::census;
pub use census::{BOUNDS, Census};
pub(crate) use light::Eye;
pub use light::Light;
pub use refresh::{EVERY, EVERY_STEERED, Refresh};

use nerve_core::engine::{EngineError, Key, Space, TrainEngine};
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, Steps, Volume, morton};
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
    /// Where training rays get to, if that matters.
    light: Option<Light>,
}

impl Occupancy {
    /// Everything occupied, for a render box of side `box_side` (a power of two).
    pub fn new(box_side: u32, steps: Steps) -> Self {
        let cascades = Self::cascades(box_side);
        let (density, bits) = (vec![0.0; cascades * CELLS], Bitfield::new(cascades, true));
        Self { density, bits, held: None, steps, light: None }
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

    /// Asks for light from now on; it is everywhere at first.
    pub fn light_up(&mut self) {
        self.light = Some(Light::new(self.bits.cascades()));
    }

    /// The light in its cells, where it is asked for.
    pub fn light(&self) -> Option<&Light> {
        self.light.as_ref()
    }

    /// Takes over light from a checkpoint, before [`Self::restore`].
    pub fn restore_light(&mut self, light: Light) {
        self.light = Some(light);
    }

    /// Looks through some eyes where light gets to, if that is asked for (see [`Light`]).
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn look(
        &mut self,
        engine: &mut dyn TrainEngine,
        volume: Volume,
        eyes: &[Eye],
        poses: Option<&[f32]>,
        key: Key,
        cut: f32,
    ) -> Result<(), EngineError> {
        let space = Space { bits: &self.bits, volume };
        self.light.iter_mut().try_for_each(|light| light.look(engine, space, eyes, poses, key, cut))
    }

    /// Of these cells, all by default, those that light gets to; `None` if nothing is known of it.
    pub(crate) fn lit(&self, of: Option<&Bitfield>) -> Option<Bitfield> {
        let light = self.light.as_ref()?;
        let mut lit = Bitfield::new(self.bits.cascades(), false);
        lit.refill(|word| {
            let eight = |i: usize| if light.is_lit(64 * word + 8 * i) { 0xffu64 << (8 * i) } else { 0 };
            (0..8).fold(0, |bits, i| bits | eight(i)) & of.map_or(u64::MAX, |of| of.words()[word])
        });
        Some(lit)
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
        self.bits.get(self.cell(point))
    }

    /// Whether light gets to such a point, or nothing is known of it.
    pub(crate) fn is_lit(&self, point: [f64; 3]) -> bool {
        self.light.as_ref().is_none_or(|light| light.is_lit(self.cell(point)))
    }

    /// The cell of the finest cascade around such a point.
    fn cell(&self, point: [f64; 3]) -> usize {
        let reach = point.iter().fold(0.0f64, |reach, p| reach.max(2.0 * p.abs()));
        let last = self.bits.cascades() - 1;
        let cascade = (0..last).find(|cascade| reach <= f64::from(1u32 << cascade)).unwrap_or(last);
        let size = f64::from(1u32 << cascade);
        let cell = point.map(|p| ((p / size + 0.5) * SIDE as f64).clamp(0.0, (SIDE - 1) as f64) as u32);
        cascade * CELLS + morton::encode(cell) as usize
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
        let (least, density, light, step) = (self.least(), &self.density, &self.light, self.steps.min);
        let worth = |cell: usize, d: f32| {
            d > least && light.as_ref().is_none_or(|light| light.shows(cell, d * step, least * step))
        };
        self.bits.refill(|word| {
            let cells = density[64 * word..64 * (word + 1)].iter();
            cells.enumerate().fold(0, |bits, (i, d)| bits | u64::from(worth(64 * word + i, *d)) << i)
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
