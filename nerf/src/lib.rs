//! Hash-grid radiance fields: from posed photographs to a scene.
//!
//! [`Trainer`] puts a [`field`] on core's batch engine, samples pixels, keeps the occupancy grid and the run
//! folder, and tells what happens as events; [`evaluate`](eval::evaluate) renders held-out views.

pub mod cameras;
mod cells_picture;
pub mod compact;
pub mod comparison;
pub mod config;
pub mod eval;
pub mod field;
mod fit_pose;
pub mod frustum;
mod gauge;
pub mod hollow;
mod identity;
pub mod live;
pub mod memory;
pub mod objective;
pub mod occupancy;
mod pruner;
pub mod reach;
mod run;
pub mod sampler;
mod show;
mod state;
pub mod steering;
pub mod structure;
pub mod trainer;
pub mod view;
pub mod views;

pub use config::NerfConfig;
pub use trainer::{NerfError, Trainer};
