//! Scenes: posed images with splits and a placement in the unit cube.
//!
//! A format is a file in this folder that lists frames (`listing.rs`); what all formats share (finding images, splits,
//! intrinsics at the images' real size, memory) is in `outline.rs`.
//!
//! # The unit frame
//!
//! A similarity takes the world into the unit frame: `unit = rotation * (world * scale) + offset`. Where a file
//! states Instant-NGP's placement there is no rotation (defaults: scale 0.33, offset 0.5). The cube `[0, 1]^3` is the
//! first cascade; the render box is the cube of side `aabb_scale`, a power of two, around its center `0.5`.

mod agreement;
mod bad;
mod bad_photo;
mod below;
mod blender;
pub(crate) mod colmap;
mod detect;
mod dialect;
mod error;
mod files;
mod lens_fields;
mod listing;
mod llff;
mod masks;
mod memory;
mod nerfstudio;
mod ngp;
mod order;
mod outline;
mod photo_files;
mod placement;
pub(crate) mod ply;
mod points;
mod record;
mod relaxed;
mod splits;
mod transforms;
mod unread;
mod up;
mod view;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nalgebra::{Point3, Similarity3, Vector3};
use rayon::prelude::*;

pub use agreement::{ChoiceError, Contradiction, ViewChoice};
pub(crate) use agreement::{Small, share};
pub(crate) use bad_photo::Told;
pub use bad_photo::{BadPhoto, left_out};
pub(crate) use below::files_below;
pub(crate) use colmap::mask_beside;
pub use detect::scenes_below;
pub use error::SceneError;
pub(crate) use listing::Placement;
pub use listing::SceneFormat;
pub use memory::MemoryEstimate;
pub(crate) use order::natural;
pub use outline::{Outline, outline};
pub(crate) use photo_files::is_companion;
pub use points::ScenePoint;
pub use record::UnitFrame;
pub(crate) use splits::keeps;
pub use splits::{Split, Splits};
pub(crate) use up::up;
pub use view::{OutlinedView, View};

use crate::camera::RayCaster;
use crate::image::plain_color;

/// What the pixels are that a mask takes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaskUse {
    /// Unknown, such as people who walked by: neither learned nor measured.
    #[default]
    Ignore,
    /// Nothing: transparent, as if the mask were the image's alpha. For masks that cut out an object.
    Empty,
}

/// What to read of a scene, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// Which views to use.
    pub views: ViewChoice,
    /// Divide the images' sides by this; see [`Image8::downscale`](crate::Image8::downscale).
    pub downscale: u32,
    /// Where the files give no splits, every n-th view that they list, in the order of file names, starting with the first,
    /// is held out for testing, whether or not its neighbors are there; 0 holds out none.
    pub holdout_every: usize,
    /// The largest number of views to use of each split (at least one), evenly spaced.
    pub max_images: Option<usize>,
    /// What masks mean.
    pub masks: MaskUse,
    /// Leave photos out that are there and cannot be read, instead of refusing the scene.
    pub skip_bad: bool,
    /// Where the files give no splits: those that a run had, by the views' names. Views that it did not have are held out
    /// by `holdout_every`, or left out where `max_images` is given.
    pub recorded: Option<HashMap<String, Split>>,
    /// Refuse a scene whose [`MemoryEstimate::total`] is larger, in bytes.
    pub memory_limit: Option<u64>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            views: ViewChoice::All,
            downscale: 1,
            holdout_every: 8,
            max_images: None,
            masks: MaskUse::Ignore,
            skip_bad: false,
            recorded: None,
            memory_limit: None,
        }
    }
}

/// A scene in memory, or all of one but its pixels ([`Outline`]). The [module](self) defines the frames.
#[derive(Clone, Debug)]
pub struct Scene<V = View> {
    /// The folder's name.
    pub name: String,
    /// All views of all splits.
    pub views: Vec<V>,
    /// Which views are for training, validation and testing.
    pub splits: Splits,
    /// Side of the render box in the unit frame, a power of two.
    pub aabb_scale: u32,
    /// World to unit frame.
    pub frame: Similarity3<f64>,
    /// Whether the files state that frame and the render box; else they were found from the cameras and points.
    pub frame_is_stated: bool,
    /// Near plane: the distance from a camera within which there is nothing, in unit-frame lengths; `None` without points
    /// and bounds.
    pub near: Option<f64>,
    /// Points on surfaces, as structure from motion found them; empty if the files have none.
    pub points: Vec<ScenePoint>,
    /// The folder or file that was read.
    pub source: PathBuf,
    /// How it was read.
    pub format: SceneFormat,
    /// Listed images that do not exist, left out of `views`.
    pub missing: Vec<PathBuf>,
    /// What the user should know but need not act on.
    pub warnings: Vec<String>,
    /// Whether photos that cannot be read are left out.
    pub(crate) skip_bad: bool,
}

impl<V> Scene<V> {
    /// A world point in the unit frame.
    pub fn to_unit(&self, point: &Point3<f64>) -> Point3<f64> {
        self.frame * point
    }

    /// A point of the unit frame in the world; the inverse of [`Scene::to_unit`].
    pub fn to_world(&self, point: &Point3<f64>) -> Point3<f64> {
        self.frame.inverse_transform_point(point)
    }

    /// The render box's corners in the unit frame.
    pub fn render_box(&self) -> (Point3<f64>, Point3<f64>) {
        render_box(self.aabb_scale)
    }

    /// The same scene with other views, made one by one.
    fn with_views<W>(
        self,
        views: impl FnOnce(Vec<V>) -> Result<Vec<W>, SceneError>,
    ) -> Result<Scene<W>, SceneError> {
        Ok(Scene {
            name: self.name,
            views: views(self.views)?,
            splits: self.splits,
            aabb_scale: self.aabb_scale,
            frame: self.frame,
            frame_is_stated: self.frame_is_stated,
            near: self.near,
            points: self.points,
            source: self.source,
            format: self.format,
            missing: self.missing,
            warnings: self.warnings,
            skip_bad: self.skip_bad,
        })
    }
}

/// The plain color that surrounds the training views where these are opaque: what a scene was rendered or cut out on, in
/// JPEGs, too. `None` where the views are transparent, or are photographs of a place.
pub fn plain_background(scene: &Scene) -> Option<[u8; 3]> {
    let views = scene.splits.train.par_iter().map(|view| &scene.views[*view]);
    plain_color(&views.map(|view| view.image.surround(view.mask.as_ref())).collect::<Vec<_>>())
}

impl Scene {
    /// Renumbers what names views, once only these are left, in ascending order.
    fn keep(&mut self, kept: &[usize]) {
        let number = |view: usize| kept.binary_search(&view).ok();
        for split in [&mut self.splits.train, &mut self.splits.val, &mut self.splits.test] {
            *split = split.iter().filter_map(|view| number(*view)).collect();
        }
        for point in &mut self.points {
            let views = point.views.iter().filter_map(|view| Some(number(*view as usize)? as u32));
            point.views = views.collect();
        }
    }

    /// Casts rays of one view in the unit frame; `None` if there is no such view.
    pub fn caster(&self, view: usize) -> Option<RayCaster> {
        self.views.get(view).map(|view| RayCaster::with_frame(&view.camera, &self.frame))
    }
}

/// The cube of side `aabb_scale` around the unit cube's center.
pub(crate) fn render_box(aabb_scale: u32) -> (Point3<f64>, Point3<f64>) {
    let half = Vector3::repeat(f64::from(aabb_scale) / 2.0);
    let centre = Point3::new(0.5, 0.5, 0.5);
    (centre - half, centre + half)
}

/// Reads a scene: `path` is a folder, or one of the files that describe it. Images are decoded in parallel on the
/// current rayon pool.
///
/// # Errors
/// If the format is not recognized, a file is malformed (named with the field), an image is damaged, no listed
/// image exists, or the memory limit would be passed, which is checked before any image is decoded.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Scene, SceneError> {
    let outline = outline(path, options)?;
    let needed = outline.memory();
    match options.memory_limit {
        Some(limit) if needed.total() > limit => {
            Err(SceneError::Memory { path: path.to_owned(), needed, limit })
        }
        _ => outline.load(),
    }
}

#[cfg(test)]
mod tests;
