//! The stages that fields are made of.

mod composite;
mod density;
mod direction;
mod mlp;
mod saliency;

pub use composite::{Composite, Spread};
pub use density::Density;
pub use direction::Directions;
pub use mlp::{Mlp, MlpShape};
pub use saliency::{Saliency, ZeroSkip};
