//! The stages of the Instant-NGP field, which later fields share.

mod composite;
mod density;
mod direction;
mod mlp;

pub use composite::Composite;
pub use density::{Density, DensityActivation};
pub use direction::Directions;
pub use mlp::{Mlp, MlpShape};
