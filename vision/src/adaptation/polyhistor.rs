//! Polyhistor (Liu et al. 2022, section 3.2): Hyperformer with decomposed generators, whose matrices are products of rank
//! `hidden / 4`. Reduced by 16, after the MLP.
use super::{Entry, Passes, Placement, hyperformer};

pub(super) const ENTRY: Entry = Entry {
    name: "polyhistor",
    about: "adapters generated as low-rank products by a hypernetwork a block",
    passes: Passes::PerTask,
    shareable: false,
    build: |site| hyperformer::build(site, Placement::Mlp, 16, |hidden| Some((hidden / 4).max(1))),
};
