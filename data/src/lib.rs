//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.

pub mod demo;
