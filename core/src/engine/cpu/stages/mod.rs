//! The stages that fields are made of.

mod composite;
mod density;
mod direction;
mod features;
mod layer;
mod mlp;
mod rays;
mod saliency;

pub(super) use composite::{Composite, CompositeHead};
pub(super) use density::Density;
pub(super) use direction::Directions;
pub(super) use features::Features;
pub(super) use layer::Layer;
pub(super) use mlp::{Gradient, Mlp};
pub(super) use rays::RayInput;
pub(super) use saliency::{Gate, Saliency};
