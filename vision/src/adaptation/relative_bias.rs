//! The tables of relative positions that windowed attention adds to its scores, and nothing else.
use nerve_core::graph::{Result, bail};

use super::{Copies, Entry, Method, Passes, Site};

pub(super) const ENTRY: Entry = Entry {
    name: "relative-bias",
    about: "the tables of relative positions of windowed attention",
    passes: Passes::PerTask,
    shareable: true,
    build,
};

/// Swin's name of such a table, and TinyViT's.
pub(super) fn is_table(key: &str) -> bool {
    ["relative_position_bias_table", "attention_biases"].iter().any(|name| key.ends_with(name))
}

fn build(site: &Site<'_>) -> Result<Box<dyn Method>> {
    if !site.weights().iter().any(|(key, _)| is_table(key)) {
        bail!("this backbone has no tables of relative positions; Swin and TinyViT have");
    }
    Ok(Box::new(Copies(site.copies(|key, _| is_table(key))?)))
}
