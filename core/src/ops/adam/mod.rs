//! Adam with decoupled decay, a sparse rule, and averaged weights.
pub mod reference;
