//! Visits to cells: what they find is the field's density there, whatever the batches and the workers.

use super::*;
use crate::engine::{Key, VisitedCells, Visits};
use crate::ops::check::bit_equal;
use crate::ops::march::{Bitfield, CELLS, SIDE, morton};
use crate::rng::{Rng, Stream, uniform};

const KEY: Key = Key { seed: 3, step: 48 };
const DECAY: f32 = 0.5;

fn start(cascades: usize) -> Vec<f32> {
    (0..cascades * CELLS).map(|cell| (cell % 7) as f32).collect()
}

fn visited(
    setup: &Setup,
    threads: usize,
    cascades: usize,
    cells: VisitedCells<'_>,
    count: usize,
) -> Vec<f32> {
    let mut engine = setup.engine(Isa::best(), threads);
    let mut density = start(cascades);
    engine.visit_cells(&Visits { key: KEY, count, cells, decay: DECAY }, &mut density).unwrap();
    density
}

/// More than a batch of cells, into the second cascade of a box of side 2.
#[test]
fn cells_in_order_have_the_density_of_a_point_inside() {
    let (setup, count) = (Setup { width: 32, box_side: 2.0, ..Setup::default() }, CELLS + 1000);
    let found = visited(&setup, 2, 2, VisitedCells::InOrder, count);
    let (mut engine, before) = (setup.engine(Isa::best(), 1), start(2));
    bit_equal(&found[count..], &before[count..]).unwrap();
    for first in [0, 131_000, CELLS - 100, count - 200] {
        let cells: Vec<usize> = (first..first + 200).collect();
        let mut points = [const { Vec::new() }; 3];
        for &cell in &cells {
            let word = Rng::new(KEY.seed).bits(Stream::Occupancy, KEY.step, cell as u32);
            let at = morton::decode((cell % CELLS) as u32);
            // A cascade is twice as large as the one before, and the box has the side 2.
            let size = (1 << (cell / CELLS)) as f32 / 2.0;
            for (a, axis) in points.iter_mut().enumerate() {
                axis.push(((at[a] as f32 + uniform(word[a])) / SIDE as f32 - 0.5) * size + 0.5);
            }
        }
        let mut want = vec![0.0; cells.len()];
        engine.density([0, 1, 2].map(|a| &points[a][..]), &mut want).unwrap();
        want.iter_mut().zip(&before[first..]).for_each(|(want, before)| *want = want.max(DECAY * before));
        bit_equal(&found[first..first + 200], &want).unwrap();
    }
}

#[test]
fn random_visits_do_not_depend_on_the_workers() {
    let setup = Setup { width: 32, ..Setup::default() };
    let (mut occupied, mut open) = (Bitfield::new(1, false), Bitfield::new(1, false));
    (900..1000).for_each(|cell| occupied.set(cell, true));
    (5000..9000).for_each(|cell| open.set(cell, true));
    let (before, count) = (start(1), (1 << 17) + 500);
    for open in [None, Some(&open)] {
        let cells = VisitedCells::Random { occupied: &occupied, open, mixed: 4000 };
        let found = visited(&setup, 1, 1, cells, count);
        bit_equal(&found, &visited(&setup, 3, 1, cells, count)).unwrap();
        let changed = |cell: usize| found[cell].to_bits() != before[cell].to_bits();
        assert!((900..1000).filter(|cell| before[*cell] > 0.0).all(changed));
        let elsewhere = (0..CELLS).filter(|cell| !(900..1000).contains(cell) && changed(*cell));
        let inside = |cell: &usize| open.is_none_or(|open| open.get(*cell));
        let elsewhere: Vec<usize> = elsewhere.collect();
        assert!(elsewhere.len() > 500 && elsewhere.iter().all(inside), "{}", elsewhere.len());
    }
}

#[test]
fn visits_to_other_grids_are_refused() {
    let mut engine = Setup::default().engine(Isa::best(), 1);
    let bits = Bitfield::new(2, true);
    let random = VisitedCells::Random { occupied: &bits, open: None, mixed: 0 };
    for (cells, count, densities) in [
        (VisitedCells::InOrder, 1, 0),
        (VisitedCells::InOrder, 1, CELLS - 1),
        (VisitedCells::InOrder, CELLS + 1, CELLS),
        (random, 1, CELLS),
    ] {
        let visits = Visits { key: KEY, count, cells, decay: DECAY };
        let error = engine.visit_cells(&visits, &mut vec![0.0; densities]).unwrap_err();
        assert!(matches!(error, EngineError::Input(_)), "{error}");
    }
}
