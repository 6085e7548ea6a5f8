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
//! Cells that no training camera can see (see [`crate::frustum`]) are never occupied, nor visited.
//!
//! Where a saliency grid steers (see [`crate::steering`]), which it does after the last full refresh only, its closed
//! cells are not occupied whatever their density, and because what is left is a few per cent of space, visits every
//! [`EVERY_STEERED`] steps find more of it than those of all space every [`EVERY`].

use super::Occupancy;
use nerve_core::engine::{EngineError, TrainEngine};
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, morton};
use nerve_core::rng::{Rng, Stream, below, uniform};
use rayon::prelude::*;
use std::ops::Range;

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
/// Cells whose densities are computed together.
const BATCH: usize = 1 << 17;

/// What refreshes need.
#[derive(Debug, Default)]
pub struct Refresh {
    /// The cells that training cameras can see; `None` for all.
    seen: Option<Bitfield>,
    cells: Vec<u32>,
    points: [Vec<f32>; 3],
    sigma: Vec<f32>,
}

impl Refresh {
    /// Of a grid of which training cameras can see these cells, all by default.
    pub fn new(seen: Option<Bitfield>) -> Self {
        Self { seen, ..Self::default() }
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
        rng: Rng,
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
        let refreshed = self.run_among(grid, engine, rng, step, both.as_ref().or(seen.as_ref()), steered);
        self.seen = seen;
        refreshed
    }

    fn run_among(
        &mut self,
        grid: &mut Occupancy,
        engine: &mut dyn TrainEngine,
        rng: Rng,
        step: u64,
        open: Option<&Bitfield>,
        steered: bool,
    ) -> Result<(), EngineError> {
        let full = FULL.contains(&step);
        let partial = PARTIAL * grid.bits.cascades();
        let (rounds, occupied) = ((OCCUPIED_WITHIN / EVERY) as usize, grid.bits.count());
        let crowded = Self::is_known(step) && occupied > grid.density.len() / CROWDED;
        let more = if crowded && !steered { (occupied / rounds).saturating_sub(partial / 2) } else { 0 };
        let total = if full { grid.density.len() } else { partial + more };
        let candidates = if full { None } else { Some(Candidates::new(&grid.bits, open, partial as u32)) };
        let mut at = 0;
        while at < total {
            let end = total.min(at + BATCH);
            self.visit(grid, engine, rng, step, at..end, candidates.as_ref())?;
            at = end;
        }
        for (word, cells) in open.iter().flat_map(|o| o.words()).zip(grid.density.chunks_exact_mut(64)) {
            cells.iter_mut().enumerate().filter(|(i, _)| word >> i & 1 == 0).for_each(|(_, d)| *d = 0.0);
        }
        grid.threshold();
        Ok(())
    }

    /// Makes these visits of a refresh.
    fn visit(
        &mut self,
        grid: &mut Occupancy,
        engine: &mut dyn TrainEngine,
        rng: Rng,
        step: u64,
        visits: Range<usize>,
        candidates: Option<&Candidates<'_>>,
    ) -> Result<(), EngineError> {
        let (at, n) = (visits.start, visits.len());
        let (side, bits, all) = (grid.side, &grid.bits, grid.density.len() as u32);
        self.cells.resize(n, 0);
        self.sigma.resize(n, 0.0);
        self.points.iter_mut().for_each(|p| p.resize(n, 0.0));
        let [x, y, z] = &mut self.points;
        let points = x.par_iter_mut().zip(y).zip(z);
        self.cells.par_iter_mut().zip(points).enumerate().with_min_len(1024).for_each(
            |(i, (cell, ((x, y), z)))| {
                let visit = (at + i) as u32;
                let word = rng.bits(Stream::Occupancy, step, visit);
                *cell = candidates.map_or(visit, |c| c.pick(bits, visit, word[3], all));
                let (cascade, code) = (*cell as usize / CELLS, *cell % CELLS as u32);
                let size = (1u32 << cascade) as f32;
                let cell = morton::decode(code);
                let place = |a: usize| {
                    let unit = ((cell[a] as f32 + uniform(word[a])) / SIDE as f32 - 0.5) * size;
                    unit / side + 0.5
                };
                (*x, *y, *z) = (place(0), place(1), place(2));
            },
        );
        let [x, y, z] = &self.points;
        engine.density([x, y, z], &mut self.sigma)?;
        let decay = decay(step);
        for (cell, sigma) in self.cells.iter().zip(&self.sigma) {
            let d = &mut grid.density[*cell as usize];
            *d = (*d * decay).max(*sigma);
        }
        Ok(())
    }
}

/// The decay per visit at this step.
fn decay(step: u64) -> f32 {
    let [(early, low), (late, high)] = DECAY;
    let share = (step.clamp(early, late) - early) as f32 / (late - early) as f32;
    low * (1.0 - share) + high * share
}

/// Cells of a partial refresh: every other visit goes to an occupied one, the rest to any, or to any open one.
struct Candidates<'a> {
    occupied: Ranks,
    open: Option<(Ranks, &'a Bitfield)>,
    /// Visits from this one on go to occupied cells.
    mixed: u32,
}

impl<'a> Candidates<'a> {
    fn new(occupied: &Bitfield, open: Option<&'a Bitfield>, mixed: u32) -> Self {
        Self { occupied: Ranks::new(occupied), open: open.map(|open| (Ranks::new(open), open)), mixed }
    }

    fn pick(&self, occupied: &Bitfield, visit: u32, random: u32, all: u32) -> u32 {
        let picked = match &self.open {
            _ if visit & 1 == 1 || visit >= self.mixed => self.occupied.pick(occupied, random),
            Some((ranks, open)) => ranks.pick(open, random),
            None => None,
        };
        picked.unwrap_or_else(|| below(random, all))
    }
}

/// How many occupied cells lie in front of each word: finds the r-th one.
struct Ranks(Vec<u32>);

impl Ranks {
    fn new(bits: &Bitfield) -> Self {
        let mut sum = 0;
        let ahead = bits.words().iter().map(|w| {
            sum += w.count_ones();
            sum - w.count_ones()
        });
        let mut ranks: Vec<u32> = ahead.collect();
        ranks.push(sum);
        Self(ranks)
    }

    /// A uniformly chosen occupied cell.
    fn pick(&self, bits: &Bitfield, random: u32) -> Option<u32> {
        let count = *self.0.last()?;
        if count == 0 {
            return None;
        }
        let rank = below(random, count);
        let word = self.0.partition_point(|ahead| *ahead <= rank) - 1;
        let mut left = bits.words()[word];
        for _ in self.0[word]..rank {
            left &= left - 1;
        }
        Some(word as u32 * 64 + left.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_relaxes() {
        assert_eq!([decay(0), decay(256), decay(1024), decay(1 << 20)], [0.6, 0.6, 0.95, 0.95]);
        assert!((decay(640) - 0.775).abs() < 1e-6);
    }

    /// Every other visit and all beyond the mixed ones go to occupied cells, the rest to open ones.
    #[test]
    fn visits_go_where_they_should() {
        let (mut occupied, mut open) = (Bitfield::new(1, false), Bitfield::new(1, false));
        [5, 77, 1000].into_iter().for_each(|cell| occupied.set(cell, true));
        (2000..3000).for_each(|cell| open.set(cell, true));
        let candidates = Candidates::new(&occupied, Some(&open), 40);
        for visit in 0..80 {
            let random = Rng::new(1).bits(Stream::Occupancy, 1, visit)[0];
            let cell = candidates.pick(&occupied, visit, random, CELLS as u32) as usize;
            let to_occupied = visit % 2 == 1 || visit >= 40;
            assert!(if to_occupied { occupied.get(cell) } else { open.get(cell) }, "{visit}: {cell}");
        }
    }

    #[test]
    fn ranks_find_every_occupied_cell() {
        let mut bits = Bitfield::new(2, false);
        let cells = [0, 63, 64, 5000, CELLS - 1, CELLS, 2 * CELLS - 1];
        cells.iter().for_each(|c| bits.set(*c, true));
        let ranks = Ranks::new(&bits);
        let n = cells.len() as u64;
        let found: Vec<_> =
            (0..n).map(|i| ranks.pick(&bits, ((i * (1 << 32) + (1 << 31)) / n) as u32)).collect();
        assert_eq!(found, cells.map(|c| Some(c as u32)));
        assert_eq!(Ranks::new(&Bitfield::new(1, false)).pick(&bits, 7), None);
    }
}
