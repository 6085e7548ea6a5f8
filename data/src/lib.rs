//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.

pub mod camera;
pub mod image;
pub mod write;

pub use camera::{Camera, Distortion, Intrinsics, Ray, RayCaster};
pub use image::Image8;
