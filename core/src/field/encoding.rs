//! What the networks are told of a position.

use crate::ops::frequency;
use crate::ops::hash_grid::HashGridConfig;
use serde::{Deserialize, Serialize};

/// The encoding of positions. It fills the first slot, [`SlotId::ENCODING`](super::SlotId::ENCODING).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Encoding {
    /// Trained tables (see [`crate::ops::hash_grid`]).
    HashGrid {
        /// Levels, features, sizes.
        grid: HashGridConfig,
        /// Tables start uniform in plus and minus this.
        init: f32,
    },
    /// The coordinates and their sines and cosines (see [`frequency`]).
    Frequency {
        /// How often the frequency doubles, and once more.
        octaves: usize,
    },
    /// None: the coordinates themselves, -1 to 1.
    Coordinates,
}

impl Encoding {
    /// Values of an encoded position.
    pub fn outputs(&self) -> usize {
        match self {
            Self::HashGrid { grid, .. } => grid.outputs(),
            Self::Frequency { octaves } => frequency::outputs(*octaves),
            Self::Coordinates => frequency::outputs(0),
        }
    }

    /// Whether it has parameters.
    pub fn is_trained(&self) -> bool {
        matches!(self, Self::HashGrid { .. })
    }
}
