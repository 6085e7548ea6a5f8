//! Activations of the field's outputs.
pub mod reference;
