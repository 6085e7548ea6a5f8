//! Compacter (Karimi Mahabadi et al. 2021): PHM layers whose right-hand factors are products of rank 1, reduced by 2.
//! Compacter++ has them after the MLPs alone.
use super::{Entry, Passes, Placement, phm};

const REDUCTION: usize = 2;

pub(super) const ENTRY: Entry = Entry {
    name: "compacter",
    about: "PHM layers of rank 1 after attention and MLPs",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| phm::build(site, Placement::Both, REDUCTION, Some(1)),
};

pub(super) const PLUS: Entry = Entry {
    name: "compacter++",
    about: "PHM layers of rank 1 after the MLPs",
    passes: Passes::PerTask,
    shareable: true,
    build: |site| phm::build(site, Placement::Mlp, REDUCTION, Some(1)),
};
