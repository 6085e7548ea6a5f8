//! Activations of the field's outputs. The fast paths stand in the stages that use them:
//! [`Density`](crate::engine::stages::Density) and [`Composite`](crate::engine::stages::Composite).
pub mod reference;
