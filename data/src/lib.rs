//! Cameras, images, scene formats and procedural scenes. Plain arrays, no model.
//!
//! ```no_run
//! use nerve_data::scene::{self, LoadOptions};
//!
//! # fn main() -> Result<(), nerve_data::scene::SceneError> {
//! let options = LoadOptions { downscale: 2, ..LoadOptions::default() };
//! println!("{}", nerve_data::inspect(std::path::Path::new("data/fox"), &options)?);
//! let scene = scene::load(std::path::Path::new("data/fox"), &options)?;
//! for &view in &scene.splits.train {
//!     if let Some(caster) = scene.caster(view) {
//!         let (origin, direction) = caster.cast(0.5, 0.5);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`augment`] | random scale, crop, flip and colors of images with masks; normalisation |
//! | [`camera`] | the one frame convention, intrinsics, distortion, rays |
//! | [`demo`] | the procedural scene, ray-traced, with exact depth, normals and labels; the procedural label set |
//! | [`image`] | uint8 images with straight alpha, masks, depth maps: decoding, downscaling |
//! | [`npy`] | NumPy's array files |
//! | [`scene`] | posed images: format detection and readers, one file a format |
//! | [`labels`] | images with a class for every pixel: format detection and readers, one file a format |
//! | [`inspect`](mod@inspect) | what is wrong with a scene, before any training |
//! | [`photos`] | bare photos: COLMAP finds their poses |
//! | [`write`](mod@write) | PNGs and Blender layouts, written atomically |

pub mod augment;
pub mod camera;
pub mod demo;
mod draws;
pub mod image;
pub mod inspect;
pub mod labels;
pub mod npy;
pub mod photos;
mod problem;
pub mod scene;
#[cfg(test)]
mod testing;
pub mod write;

pub use camera::{Camera, Distortion, Intrinsics, Ray, RayCaster};
pub use image::Image8;
pub use inspect::inspect;
pub use scene::{LoadOptions, Scene, SceneError, View};
