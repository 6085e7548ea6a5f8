//! Hash-grid radiance fields: from posed photographs to a scene.
//!
//! A [`Model`] is a [`field`] on core's batch engine that can be looked at: it opens from what a run leaves, without its
//! photographs, and renders what a camera sees. A [`Trainer`] makes one of a scene: it samples pixels, keeps the
//! occupancy grid and the run folder, and tells what happens as events; [`evaluate`](eval::evaluate) measures held-out views.

mod cameras;
mod capture;
mod cells_picture;
pub mod compact;
pub mod comparison;
pub mod config;
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
mod model;
pub mod occupancy;
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

pub use capture::{Capture, CapturedView};
pub use config::NerfConfig;
pub use error::NerfError;
pub use live::LiveCells;
pub use model::{Model, OpenOptions, PoseChange};
pub use publish::{publish_cameras, publish_cells, publish_held_out, publish_surface};
pub use trainer::Trainer;

/// The kind of a field's run, in its `config.toml` and in its checkpoint.
pub const KIND: &str = "nerf";
