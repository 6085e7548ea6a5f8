//! The real program, run in a fresh folder.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod bad_labels;
mod bad_models;
mod bad_runs;
mod bad_scenes;
mod bad_segmenters;
mod commands;
mod cuda;
mod devices;
mod distilling;
mod export;
mod hollow;
mod inspect;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod kill;
mod lpips;
mod no_scene;
#[cfg(unix)]
mod photos;
mod program;
mod render;
mod segmentation;
mod tasks;
#[cfg(feature = "viewer")]
mod view;
#[cfg(feature = "viewer")]
mod viewer;
#[cfg(not(feature = "viewer"))]
mod without_viewer;
mod words;
