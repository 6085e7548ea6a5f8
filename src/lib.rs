//! nerve turns photographs into 3D scenes and into dense labels. This library re-exports the crates behind the program.
//!
//! | for | module |
//! |---|---|
//! | radiance fields: train, evaluate, render | [`nerf`] |
//! | segmentation: backbones, heads, training, prediction | [`vision`] |
//! | scenes, cameras, images, label sets | [`data`] |
//! | ops, engines, runs, checkpoints, metrics | [`core`] |
#![cfg_attr(feature = "viewer", doc = "| Rerun recordings and viewers | [`viewer`] |")]
//!
//! A few steps of training on the built-in scene, and a rendering:
//!
//! ```
//! use std::sync::Arc;
//!
//! use nerve::data::demo::{self, DemoConfig};
//! use nerve::nerf::{NerfConfig, Trainer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let scene = demo::scene(&DemoConfig { resolution: 32, train: 4, test: 1, ..DemoConfig::default() })?;
//! let camera = scene.views[0].camera.clone();
//! let mut config = NerfConfig::default();
//! config.grid.log2_entries = 10;
//! config.train.batch_samples = 1024;
//! config.train.run.steps = Some(2);
//! let mut trainer = Trainer::new(config, Arc::new(scene), 1)?;
//! while trainer.progress() < 1.0 {
//!     trainer.step()?;
//! }
//! let picture = trainer.model_mut().render(&camera)?;
//! assert_eq!((picture.width, picture.height), (32, 32));
//! # Ok(())
//! # }
//! ```
//!
//! Longer programs are in `examples/`.
pub use nerve_core as core;
pub use nerve_data as data;
pub use nerve_nerf as nerf;
#[cfg(feature = "viewer")]
pub use nerve_viewer as viewer;
pub use nerve_vision as vision;
