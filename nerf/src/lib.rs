//! Hash-grid radiance fields: from posed photographs to a scene.
//!
//! A [`Model`] is a [`field`] on core's batch engine that can be looked at: it opens from what a run leaves, without its
//! photographs, and renders what a camera sees. A [`Trainer`] makes one of a scene: it samples pixels, keeps the
//! occupancy grid and the run folder, and tells what happens as events; [`evaluate`](eval::evaluate) measures held-out views.
//!
//! ```
//! use std::sync::Arc;
//!
//! use nerve_data::demo::{self, DemoConfig};
//! use nerve_nerf::{NerfConfig, Trainer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The built-in scene and a field that are small enough for a moment's training.
//! let scene = demo::scene(&DemoConfig { resolution: 32, train: 4, test: 1, ..DemoConfig::default() })?;
//! let mut config = NerfConfig::default();
//! config.grid.log2_entries = 10;
//! config.train.batch_samples = 1024;
//! config.train.run.steps = Some(2);
//! let mut trainer = Trainer::new(config, Arc::new(scene), 1)?;
//! while trainer.progress() < 1.0 {
//!     let stats = trainer.step()?;
//!     assert!(stats.loss.is_finite());
//! }
//! assert_eq!(trainer.step_count(), 2);
//! # Ok(())
//! # }
//! ```

mod backdrop;
mod cameras;
mod capture;
mod cells_picture;
pub mod compact;
pub mod comparison;
pub mod config;
pub mod distill;
mod error;
pub mod eval;
pub mod field;
mod fit_pose;
mod frustum;
mod gauge;
pub mod hollow;
mod identity;
mod live;
pub mod memory;
pub mod meshing;
mod model;
pub mod occupancy;
pub mod path;
mod pruner;
mod publish;
mod reach;
mod refine;
pub mod rendering;
mod run;
mod show;
mod state;
mod steering;
pub mod structure;
mod trainer;
pub mod views;
mod watch;

pub use backdrop::Backdrop;
pub use capture::{Capture, CapturedView};
pub use config::NerfConfig;
pub use error::NerfError;
pub use identity::recorded_splits;
pub use live::LiveCells;
pub use model::{Clip, Model, OpenOptions, PoseChange, SurfaceView, normals_of_depth};
pub use publish::{publish_cameras, publish_cells, publish_held_out, publish_surface};
pub use trainer::Trainer;

/// The kind of a field's run, in its `config.toml` and in its checkpoint.
pub const KIND: &str = "nerf";
