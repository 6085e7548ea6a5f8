//! The stages of the Instant-NGP field, which later fields share.

mod composite;
mod density;
mod direction;
mod mlp;

pub use composite::Composite;
pub use density::Density;
pub use direction::Directions;
pub use mlp::{Mlp, MlpShape};
