//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.
//!
//! A scene is a set of [views](View), each an image with its [camera](Camera), and a frame in which models are trained:
//!
//! ```
//! use nerve_data::demo::{self, DemoConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The built-in scene, ray-traced: 3 views to train on and 1 held out, of 32x32 pixels.
//! let config = DemoConfig { resolution: 32, train: 3, test: 1, ..DemoConfig::default() };
//! let scene = demo::scene(&config)?;
//! assert_eq!((scene.splits.train.len(), scene.splits.test.len()), (3, 1));
//!
//! // The camera looks at the origin of the world: it is in the middle of the image, and the ray through that pixel
//! // leads to it.
//! let view = &scene.views[0];
//! let (x, y, depth) = view.camera.project(&[0.0, 0.0, 0.0].into()).ok_or("behind the camera")?;
//! assert!((x - 16.0).abs() < 1e-9 && (y - 16.0).abs() < 1e-9);
//! let ray = view.camera.ray(x, y);
//! assert!((ray.origin + ray.direction * depth).coords.norm() < 1e-9);
//! assert_ne!(view.image.pixel(16, 16)[3], 0, "something is there");
//! # Ok(())
//! # }
//! ```
//!
//! A scene on disk is recognized by its files, inspected, and loaded:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use nerve_data::scene::{self, LoadOptions};
//!
//! # fn main() -> Result<(), nerve_data::SceneError> {
//! let options = LoadOptions { downscale: 2, ..LoadOptions::default() };
//! println!("{}", nerve_data::inspect(Path::new("data/fox"), &options)?);
//! let scene = scene::load(Path::new("data/fox"), &options)?;
//! for &view in &scene.splits.train {
//!     if let Some(caster) = scene.caster(view) {
//!         // In the unit frame, the one that models are trained in.
//!         let (origin, direction) = caster.cast(0.5, 0.5);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`augment`] | random scale, crop, flip and colors of images with masks; normalization |
//! | [`camera`] | the one frame convention, intrinsics, distortion, rays |
//! | [`demo`] | the procedural scene, ray-traced, with exact depth, normals and labels; the procedural label set |
//! | [`image`] | uint8 images with straight alpha, masks, depth maps: decoding, downscaling |
//! | [`scene`] | posed images: format detection and readers, one file a format |
//! | [`labels`] | images with a class for every pixel: format detection and readers, one file a format |
//! | [`inspect`](mod@inspect) | what is wrong with a scene, before any training |
//! | [`photos`] | bare photos: COLMAP finds their poses |
//! | [`write`](mod@write) | PNGs and Blender layouts, written atomically |

pub mod augment;
pub mod camera;
pub mod demo;
mod draws;
#[doc(hidden)]
pub mod fuzzing;
pub mod image;
pub mod inspect;
pub mod labels;
pub mod mesh;
mod npy;
pub mod photos;
pub mod posed;
mod problem;
mod regular;
pub mod scene;
pub mod tasks;
#[cfg(test)]
mod testing;
pub mod write;

pub use camera::{Camera, Distortion, Intrinsics, Ray, RayCaster};
pub use image::Image8;
pub use inspect::inspect;
pub use nalgebra;
pub use scene::{LoadOptions, Scene, SceneError, View};
