//! Parsers of bytes, for the fuzz targets: those that no public function calls on bytes alone.

pub use crate::npy::parse as npy;
pub use crate::scene::ply::parse as ply;
