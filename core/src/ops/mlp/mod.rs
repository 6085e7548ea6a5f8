//! Small bias-free ReLU networks.
pub mod reference;
