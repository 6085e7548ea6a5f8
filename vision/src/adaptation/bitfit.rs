//! BitFit (Ben Zaken et al. 2022): the biases, and as in Polyhistor's comparison the tables of relative positions.
use super::relative_bias::is_table;
use super::{Copies, Entry, Passes};

pub(super) const ENTRY: Entry = Entry {
    name: "bitfit",
    about: "all biases and tables of relative positions",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| Ok(Box::new(Copies(site.copies(|key, _| key.ends_with(".bias") || is_table(key))?))),
};
