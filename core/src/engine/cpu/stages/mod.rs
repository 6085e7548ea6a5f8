//! The stages that fields are made of.

mod composite;
mod density;
mod direction;
mod mlp;
mod saliency;

pub(super) use composite::{Composite, CompositeHead};
pub(super) use density::Density;
pub(super) use direction::Directions;
pub(super) use mlp::{Gradient, Mlp};
pub(super) use saliency::{Gate, Saliency};
