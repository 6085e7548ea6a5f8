//! Heads: from a backbone's maps to scores of classes, `(batch, height, width, classes)` at the finest map's size.
pub mod all_mlp;
pub(crate) mod fcn;
mod parts;
pub mod semantic_fpn;
pub(crate) mod uper_net;

use std::fmt::Debug;

use nerve_core::graph::{Mode, Result, Tensor};

/// What turns maps into scores of classes.
pub trait Head: Debug + Send + Sync {
    /// Each map is `(batch, height, width, channels)`, finest first; the result is `(batch, height, width, classes)` on the
    /// grid of the first.
    ///
    /// # Errors
    /// If the maps are not those that the head was built for.
    fn forward(&self, maps: &[Tensor], mode: Mode) -> Result<Tensor>;
}

/// Scores `(batch, height, width, classes)`, which are yet to be resized to the image.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The head's, on the grid of the finest map.
    pub scores: Tensor,
    /// The auxiliary head's, on the grid of the third map; only a model that is trained has one.
    pub auxiliary: Option<Tensor>,
    /// The cosines of places and classes, on the grid of the backbone's last map, of a model that is guided by language.
    pub score_map: Option<Tensor>,
}

/// The map that an auxiliary head is given, as published: the third.
pub(crate) const AUXILIARY_MAP: usize = 2;

#[cfg(test)]
mod tests;
