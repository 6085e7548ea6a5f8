//! Visits to the cells of an occupancy grid, by which densities there are kept up to date.

use super::step::Key;
use crate::ops::march::Bitfield;

/// Visits, each to a random point of a cell. What cell, and where in it, are functions of the key and the visit's number
/// alone.
#[derive(Clone, Copy, Debug)]
pub struct Visits<'a> {
    /// What randomness depends on.
    pub key: Key,
    /// How many.
    pub count: usize,
    /// Which cells are visited.
    pub cells: VisitedCells<'a>,
    /// A visited cell's density is multiplied by this before it is compared with what was found.
    pub decay: f32,
}

/// Which cells of an occupancy grid are visited.
#[derive(Clone, Copy, Debug)]
pub enum VisitedCells<'a> {
    /// One after the other, from the first on.
    InOrder,
    /// Random ones: every other visit goes to an occupied cell, the rest to any, or to any open one.
    Random {
        /// The occupied cells.
        occupied: &'a Bitfield,
        /// Cells of which some are worth a visit though not occupied; `None` for all.
        open: Option<&'a Bitfield>,
        /// Visits from this one on go to occupied cells.
        mixed: u32,
    },
}
