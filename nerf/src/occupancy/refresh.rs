//! Keeping the occupancy grid true while a field is trained: `d <- max(decay d, sigma(random point))` for the cells that
//! are visited; only these decay.
//!
//! A full refresh costs as much as ten training steps, so all cells are visited only at steps 16, 32, 64, 128 and 256;
//! every 16 steps in between and later, 2^16 cells of each cascade are, half of them uniform and half of them occupied
//! ones.
//!
//! Where more than an eighth of the cells are occupied after the last full refresh, as photographs of a room have it,
//! more of them are visited: as many as it takes for each to be visited every 64 steps. Otherwise the fog of the first
//! hundred steps stays in the grid for thousands, and is marched through: on fox 58 % of the cells after 1500 steps, and
//! 84 samples a ray.
//!
//! The decay per visit is 0.6 at first and 0.95 in the end. An occupied cell is visited every 60 steps or so: at
//! 0.95 from the start, what was dense in the first hundred steps stays occupied for a thousand (on lego 6.1 % of
//! all cells after 600 steps, against 3.5 % at 0.6, at half the rays per step); at 0.6 to the end, cells that a
//! surface only grazes are lost between two lucky visits, and with them the outlines (32.6 dB after ten minutes).
//!
//! Cells that no training camera can see (see [`crate::frustum`]) are never occupied, nor visited. Cells that no light of a
//! training ray gets to (see [`super::Light`]) are not occupied, nor visited; what was found there is kept for when there is light.
//!
//! Where a saliency grid steers (see [`crate::steering`]), which it does after the last full refresh only, its closed
//! cells are not occupied whatever their density, and because what is left is a few per cent of space, visits every
//! [`EVERY_STEERED`] steps find more of it than those of all space every [`EVERY`].

use super::Occupancy;
use nerve_core::engine::{EngineError, Key, TrainEngine, VisitedCells, Visits};
use nerve_core::ops::march::Bitfield;

/// Decay per visit up to the first of these steps, and from the second on; linear in between.
const DECAY: [(u64, f32); 2] = [(256, 0.6), (1024, 0.95)];
/// Steps between refreshes.
pub const EVERY: u64 = 16;
/// Steps between refreshes where closed cells steer.
pub const EVERY_STEERED: u64 = 128;
/// Steps of full refreshes.
const FULL: [u64; 5] = [16, 32, 64, 128, 256];
/// Cells of each cascade visited by a partial refresh.
const PARTIAL: usize = 1 << 16;
/// More than one in so many cells occupied is more than the surfaces of a scene.
const CROWDED: usize = 8;
/// Steps within which an occupied cell is visited once on average, where there are so many.
const OCCUPIED_WITHIN: u64 = 64;

/// What refreshes need.
#[derive(Debug, Default)]
pub struct Refresh {
    /// The cells that training cameras can see; `None` for all.
    seen: Option<Bitfield>,
}

impl Refresh {
    /// Of a grid of which training cameras can see these cells, all by default.
    pub fn new(seen: Option<Bitfield>) -> Self {
        Self { seen }
    }

    /// Whether there was any by this step; before, the grid says where training cameras look.
    pub fn has_happened(step: u64) -> bool {
        step >= FULL[0]
    }

    /// Whether all of space has been visited often enough by this step for closed cells to steer.
    pub fn is_known(step: u64) -> bool {
        step > FULL[FULL.len() - 1]
    }

    /// Whether there is one after this step.
    pub fn is_due(step: u64, steered: bool) -> bool {
        step > 0 && step.is_multiple_of(if steered { EVERY_STEERED } else { EVERY })
    }

    /// Refreshes a grid after `step`. Of cells that are not among the `open` ones nothing is kept.
    ///
    /// # Errors
    /// If the engine's device fails.
    pub fn run(
        &mut self,
        grid: &mut Occupancy,
        engine: &mut dyn TrainEngine,
        seed: u64,
        step: u64,
        open: Option<Bitfield>,
    ) -> Result<(), EngineError> {
        let seen = self.seen.take();
        let both = open.map(|mut open| {
            if let Some(seen) = &seen {
                let words = open.words().to_vec();
                open.refill(|word| words[word] & seen.words()[word]);
            }
            open
        });
        let steered = both.is_some();
        let refreshed = self.run_among(grid, engine, seed, step, both.as_ref().or(seen.as_ref()), steered);
        self.seen = seen;
        refreshed
    }

    fn run_among(
        &mut self,
        grid: &mut Occupancy,
        engine: &mut dyn TrainEngine,
        seed: u64,
        step: u64,
        open: Option<&Bitfield>,
        steered: bool,
    ) -> Result<(), EngineError> {
        let partial = PARTIAL * grid.bits.cascades();
        let lit = grid.lit(open);
        let (cells, count) = if FULL.contains(&step) {
            (VisitedCells::InOrder, grid.density.len())
        } else {
            let (rounds, occupied) = ((OCCUPIED_WITHIN / EVERY) as usize, grid.bits.count());
            let crowded = Self::is_known(step) && occupied > grid.density.len() / CROWDED;
            let more = if crowded && !steered { (occupied / rounds).saturating_sub(partial / 2) } else { 0 };
            let cells = VisitedCells::Random {
                occupied: &grid.bits,
                open: lit.as_ref().or(open),
                mixed: partial as u32,
            };
            (cells, partial + more)
        };
        let visits = Visits { key: Key { seed, step }, count, cells, decay: decay(step) };
        engine.visit_cells(&visits, &mut grid.density)?;
        for (word, cells) in open.iter().flat_map(|o| o.words()).zip(grid.density.chunks_exact_mut(64)) {
            cells.iter_mut().enumerate().filter(|(i, _)| word >> i & 1 == 0).for_each(|(_, d)| *d = 0.0);
        }
        grid.threshold();
        Ok(())
    }
}

/// The decay per visit at this step.
fn decay(step: u64) -> f32 {
    let [(early, low), (late, high)] = DECAY;
    let share = (step.clamp(early, late) - early) as f32 / (late - early) as f32;
    low * (1.0 - share) + high * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_relaxes() {
        assert_eq!([decay(0), decay(256), decay(1024), decay(1 << 20)], [0.6, 0.6, 0.95, 0.95]);
        assert!((decay(640) - 0.775).abs() < 1e-6);
    }
}
