//! Full fine-tuning: every weight of the backbone, a copy a task or one for all.
//!
//! Batch norms keep their statistics, whose batches are too small to be better.
use nerve_core::graph::Result;

use super::{Copies, Entry, Method, Passes, Site};

/// One network a task.
pub(super) const SINGLE: Entry = Entry {
    name: "single-full",
    about: "full fine-tuning, a backbone a task: the reference of Delta",
    passes: Passes::PerTask,
    shareable: false,
    build: full,
};

/// One network for all.
pub(super) const MULTI: Entry = Entry {
    name: "multi-full",
    about: "full fine-tuning, one backbone for all tasks",
    passes: Passes::One,
    shareable: false,
    build: full,
};

fn full(site: &Site<'_>) -> Result<Box<dyn Method>> {
    Ok(Box::new(Copies(site.copies(|_, _| true)?)))
}
