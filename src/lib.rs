//! nerve: photographs to 3D scenes and dense labels. This facade re-exports the crates behind the binary.
pub use nerve_core as core;
pub use nerve_data as data;
pub use nerve_nerf as nerf;
#[cfg(feature = "viewer")]
pub use nerve_viewer as viewer;
pub use nerve_vision as vision;
