//! Emission-absorption volume rendering along rays.
pub mod reference;
