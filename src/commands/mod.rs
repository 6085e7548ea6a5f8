//! One file per subcommand.

pub mod compare;
pub mod demo;
pub mod distill;
pub mod doctor;
mod doctor_cuda;
pub mod eval;
pub mod export;
pub mod inspect;
pub mod models;
pub mod render;
pub mod resume;
pub mod seg;
pub mod tasks;
pub mod train;
#[cfg(feature = "viewer")]
pub mod view;
#[cfg(not(feature = "viewer"))]
#[path = "no_view.rs"]
pub mod view;
mod view_args;
