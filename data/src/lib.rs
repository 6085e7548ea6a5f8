//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.

pub mod camera;
pub mod image;
pub mod scene;
#[cfg(test)]
mod testing;
pub mod write;

pub use camera::{Camera, Distortion, Intrinsics, Ray, RayCaster};
pub use image::Image8;
pub use scene::{LoadOptions, Scene, SceneError, View};
