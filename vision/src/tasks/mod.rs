//! Several dense tasks from one frozen backbone.
mod decoder;

pub use decoder::Decoder;
