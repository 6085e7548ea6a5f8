//! Tiles in a row, whose memory is kept from step to step.

use super::tile::Tile;
use std::ops::{Deref, DerefMut, Range};

/// Tiles that are used again and again, the first of them now.
#[derive(Debug)]
pub(super) struct Tiles {
    all: Vec<Tile>,
    used: usize,
    levels: usize,
    features: usize,
}

impl Tiles {
    /// None yet, for `levels` encoding levels of `features` each.
    pub fn new((levels, features): (usize, usize)) -> Self {
        Self { all: Vec::new(), used: 0, levels, features }
    }

    /// Starts over with no tile, keeps their memory.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Takes `count` empty tiles more into use, and says which.
    pub fn extend(&mut self, count: usize) -> Range<usize> {
        let new = self.used..self.used + count;
        if self.all.len() < new.end {
            self.all.resize_with(new.end, || Tile::new(self.levels, self.features));
        }
        self.all[new.clone()].iter_mut().for_each(Tile::clear);
        self.used = new.end;
        new
    }

    /// All samples in use.
    pub fn samples(&self) -> usize {
        self.iter().map(|tile| tile.len).sum()
    }
}

/// The tiles in use.
impl Deref for Tiles {
    type Target = [Tile];

    fn deref(&self) -> &[Tile] {
        &self.all[..self.used]
    }
}

impl DerefMut for Tiles {
    fn deref_mut(&mut self) -> &mut [Tile] {
        &mut self.all[..self.used]
    }
}
