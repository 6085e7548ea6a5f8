//! Nothing of the backbone is adapted: the heads alone are trained.
use nerve_core::graph::Result;

use super::{Adapted, Entry, Method, Passes};

pub(super) const ENTRY: Entry = Entry {
    name: "decoders",
    about: "only the heads; one pass for all tasks, without gradients in the trunk",
    passes: Passes::One,
    shareable: false,
    build: |_| Ok(Box::new(Decoders)),
};

#[derive(Debug)]
struct Decoders;

impl Method for Decoders {
    fn adapted(&self, _: usize) -> Result<Adapted> {
        Ok(Adapted::default())
    }
}
