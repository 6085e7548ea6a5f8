//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.

pub mod camera;

pub use camera::{Camera, Distortion, Intrinsics, Ray, RayCaster};
