//! The procedural `demo` scene: ray-traced views with exact depth, normals and semantic labels.
//!
//! World frame: z up, units arbitrary, everything inside the box of half-side 1.2 around the origin.
//! Cameras sit 4 units away on the upper hemisphere and look at the origin. The tracer works in f64 with
//! `+ - * / sqrt` and `libm` only, so the same configuration gives the same bytes on every machine and on
//! any number of threads.
//!
//! ```no_run
//! use nerve_data::demo::{self, DemoConfig, render, write};
//!
//! # fn main() -> Result<(), nerve_data::demo::DemoError> {
//! let scene = render(&DemoConfig::default())?;
//! println!("{} views", scene.views.len());
//! write("demo".as_ref(), &DemoConfig::default(), &|done, total| println!("{done}/{total}"))?;
//! // To train on, without files:
//! let posed_images: nerve_data::Scene = demo::scene(&DemoConfig::default())?;
//! # Ok(())
//! # }
//! ```

mod camera;
mod config;
pub mod labels;
mod memory;
mod scene;
mod shade;
mod solid;
pub mod tasks;
#[cfg(test)]
mod tests;
mod texture;
mod view;
mod write;

use nalgebra::Isometry3;
use ndarray::{Array2, Array3};
use rayon::prelude::*;

pub use config::{DemoConfig, DemoError};
pub use memory::{load, scene};
#[cfg(test)]
use write::DEPTH_UNIT;
pub use write::write;

use crate::scene::Split;

/// Horizontal (and vertical) field of view of every camera in radians: that of `nerf_synthetic`.
pub(crate) const CAMERA_ANGLE_X: f64 = 0.691_111_207_008_361_8;

/// One rendered view of side `R` pixels, row 0 at the top.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoView {
    /// `r_0`, `r_1`, ... within the split.
    pub name: String,
    /// For training, or held out for evaluation ([`Split::Test`]).
    pub split: Split,
    /// Camera to world; the camera looks along its -z, y up, x right.
    pub pose: Isometry3<f64>,
    /// `[R, R, 4]`, straight alpha. Color is encoded (square-root tone curve) and, at edges, the mean of
    /// what the pixel covers; it is 0 where alpha is 0.
    pub rgba: Array3<u8>,
    /// `[R, R]`, distance along the unit ray through the pixel center in world units; 0 where it meets nothing.
    pub depth: Array2<f32>,
    /// `[R, R, 3]`, unit outward normal at the pixel center in the world frame; 0 where it meets nothing.
    pub normal: Array3<f32>,
    /// `[R, R]`, class at the pixel center, an index into [`DemoScene::class_names`]; 0 is background.
    pub label: Array2<u8>,
}

/// All views of the scene.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoScene {
    /// Training views, then held-out views.
    pub views: Vec<DemoView>,
    /// Horizontal field of view in radians.
    pub camera_angle_x: f64,
    /// Name of each label value; entry 0 is `background`.
    pub class_names: Vec<String>,
}

/// Renders every view in memory, in parallel: about 21 bytes a pixel and view. [`write`](fn@write) keeps less.
///
/// # Errors
/// [`DemoError::Config`] when a setting is out of range.
pub fn render(config: &DemoConfig) -> Result<DemoScene, DemoError> {
    config.check()?;
    let scene = scene::DemoWorld::new();
    let views = camera::stations(config)
        .into_par_iter()
        .map(|station| view::render(&scene, config, station))
        .collect();
    let class_names = scene::CLASSES.iter().map(|(name, _)| (*name).to_owned()).collect();
    Ok(DemoScene { views, camera_angle_x: CAMERA_ANGLE_X, class_names })
}
