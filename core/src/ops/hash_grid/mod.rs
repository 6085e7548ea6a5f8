//! Multiresolution hash encoding (Müller et al. 2022).
mod config;
pub mod reference;

pub use config::{ConfigError, HashGridConfig, Level};
