//! Visits to cells of an occupancy grid: picked, placed, and their densities computed in batches.

use super::{EngineError, VisitedCells, Visits};
use crate::ops::march::{Bitfield, CELLS, SIDE, morton};
use crate::rng::{Rng, Stream, below, uniform};
use rayon::prelude::*;

/// Cells whose densities are computed together.
const BATCH: usize = 1 << 17;

/// Room for a batch of visits.
#[derive(Debug, Default)]
pub(super) struct VisitBuffers {
    pub(super) cells: Vec<u32>,
    points: [Vec<f32>; 3],
    sigma: Vec<f32>,
}

/// Refuses visits to cells that there are not.
pub(super) fn check(visits: &Visits<'_>, cells: usize) -> Result<(), EngineError> {
    let refuse = |reason: String| Err(EngineError::Input(reason));
    if cells == 0 || !cells.is_multiple_of(CELLS) {
        return refuse(format!("densities of {cells} cells: a cascade has {CELLS}"));
    }
    match visits.cells {
        VisitedCells::InOrder if visits.count > cells => {
            refuse(format!("{} visits to {cells} cells in order", visits.count))
        }
        VisitedCells::Random { occupied, open, .. }
            if std::iter::once(occupied).chain(open).any(|bits| bits.cascades() * CELLS != cells) =>
        {
            refuse(format!("densities of {cells} cells, and bits of others"))
        }
        _ => Ok(()),
    }
}

impl VisitBuffers {
    /// Makes the visits, in order, on `density` by cell, in a box of this side; `densities` gives those at points of its
    /// unit cube. Called on the workers.
    pub fn visit(
        &mut self,
        visits: &Visits<'_>,
        side: f32,
        density: &mut [f32],
        mut densities: impl FnMut([&[f32]; 3], &mut [f32]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let candidates = Candidates::new(visits.cells);
        let (rng, all) = (Rng::new(visits.key.seed), density.len() as u32);
        let Self { cells, points, sigma } = self;
        for at in (0..visits.count).step_by(BATCH) {
            let n = BATCH.min(visits.count - at);
            cells.resize(n, 0);
            sigma.resize(n, 0.0);
            points.iter_mut().for_each(|p| p.resize(n, 0.0));
            let [x, y, z] = &mut *points;
            let places = x.par_iter_mut().zip(y).zip(z);
            cells.par_iter_mut().zip(places).enumerate().with_min_len(1024).for_each(
                |(i, (cell, ((x, y), z)))| {
                    let visit = (at + i) as u32;
                    let word = rng.bits(Stream::Occupancy, visits.key.step, visit);
                    *cell = candidates.as_ref().map_or(visit, |c| c.pick(visit, word[3], all));
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
            let [x, y, z] = &*points;
            densities([x, y, z], sigma)?;
            for (cell, sigma) in cells.iter().zip(&*sigma) {
                let d = &mut density[*cell as usize];
                *d = (*d * visits.decay).max(*sigma);
            }
        }
        Ok(())
    }
}

/// Cells that random visits go to.
struct Candidates<'a> {
    occupied: (Ranks, &'a Bitfield),
    open: Option<(Ranks, &'a Bitfield)>,
    /// Visits from this one on go to occupied cells.
    mixed: u32,
}

impl<'a> Candidates<'a> {
    /// None where cells are visited in order.
    fn new(cells: VisitedCells<'a>) -> Option<Self> {
        let VisitedCells::Random { occupied, open, mixed } = cells else { return None };
        let ranked = |bits: &'a Bitfield| (Ranks::new(bits), bits);
        Some(Self { occupied: ranked(occupied), open: open.map(ranked), mixed })
    }

    /// The cell of a visit, one of `all`.
    fn pick(&self, visit: u32, random: u32, all: u32) -> u32 {
        let from =
            if visit & 1 == 1 || visit >= self.mixed { Some(&self.occupied) } else { self.open.as_ref() };
        from.and_then(|(ranks, bits)| ranks.pick(bits, random)).unwrap_or_else(|| below(random, all))
    }
}

/// How many set cells lie in front of each word: finds the r-th one.
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

    /// A uniformly chosen set cell.
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

    /// Every other visit and all beyond the mixed ones go to occupied cells, the rest to open ones.
    #[test]
    fn visits_go_where_they_should() {
        let (mut occupied, mut open) = (Bitfield::new(1, false), Bitfield::new(1, false));
        [5, 77, 1000].into_iter().for_each(|cell| occupied.set(cell, true));
        (2000..3000).for_each(|cell| open.set(cell, true));
        let cells = VisitedCells::Random { occupied: &occupied, open: Some(&open), mixed: 40 };
        let candidates = Candidates::new(cells).expect("random cells");
        for visit in 0..80 {
            let random = Rng::new(1).bits(Stream::Occupancy, 1, visit)[0];
            let cell = candidates.pick(visit, random, CELLS as u32) as usize;
            let to_occupied = visit % 2 == 1 || visit >= 40;
            assert!(if to_occupied { occupied.get(cell) } else { open.get(cell) }, "{visit}: {cell}");
        }
    }

    #[test]
    fn ranks_find_every_set_cell() {
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
