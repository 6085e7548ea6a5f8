//! Real spherical harmonics of a direction.
pub mod reference;
