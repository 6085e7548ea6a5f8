//! Photometric losses of composited rays.
pub mod reference;
