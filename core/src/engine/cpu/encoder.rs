//! A field's encoding, compiled: its tables, or none.

use crate::ops::hash_grid::GridLevel;
use std::ops::Range;

/// The slot of the encoding.
pub(super) const ENCODING: usize = 0;

/// The encoding.
pub(super) enum Encoder {
    /// A table a level, all with the same number of features.
    Grid {
        /// Coarsest first.
        levels: Vec<GridLevel>,
        /// Their blocks in the layout, one behind the other.
        blocks: Range<usize>,
        /// Features per level.
        features: usize,
    },
    /// Coordinates, and their sines and cosines.
    Frequency {
        /// None are the coordinates alone.
        octaves: usize,
    },
}

impl Encoder {
    /// Levels of a tile's encoding, and features of each; what has no tables is encoded where it is needed.
    pub fn levels(&self) -> (usize, usize) {
        match self {
            Self::Grid { levels, features, .. } => (levels.len(), *features),
            Self::Frequency { .. } => (0, 0),
        }
    }

    /// Values of the largest table.
    pub fn largest_table(&self) -> usize {
        match self {
            Self::Grid { levels, .. } => levels.iter().map(|l| l.entries * l.features).max().unwrap_or(0),
            Self::Frequency { .. } => 0,
        }
    }
}
