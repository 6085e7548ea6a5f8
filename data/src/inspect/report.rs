//! The report of [`inspect`](super::inspect()): its fields, and adding the results of decoding.

use std::path::PathBuf;

use serde::Serialize;

use super::geometry::Extent;
use super::masks::MaskReport;
use super::pixel_problems::pixel_problems;
use super::pixels::PixelReport;
use super::rig::{PointReport, Rig};
use super::unplaced::Registered;
use crate::camera::Intrinsics;
use crate::problem::DataProblem;
use crate::scene::{MemoryEstimate, SceneFormat};

/// What [`inspect`](super::inspect()) found. `Display` writes it for people, serde for programs.
#[derive(Clone, Debug, Serialize)]
pub struct SceneReport {
    /// The scene's name.
    pub name: String,
    /// The folder or file that was read.
    pub source: PathBuf,
    /// Its format.
    pub format: SceneFormat,
    /// Number of views for each purpose.
    pub views: ViewCounts,
    /// Resolutions on disk, the most frequent first.
    pub resolutions: Vec<Resolution>,
    /// Distinct intrinsics, as they will be used (downscaled), the most frequent first.
    pub intrinsics: Vec<IntrinsicsCount>,
    /// Number of images with an alpha channel.
    pub images_with_alpha: usize,
    /// Near plane in unit-frame lengths, by points or stated depths: no sample is nearer to a camera.
    pub near: Option<f64>,
    /// Whether some views are transparent by what is beside their images: masks, files, colors that stand for nothing.
    #[serde(skip)]
    pub(super) seen_through: bool,
    /// Number of views with a mask.
    pub masks: usize,
    /// Number of views with a depth map.
    pub depth_maps: usize,
    /// Listed images that do not exist.
    pub missing: Vec<PathBuf>,
    /// How many of the photos beside the images have a pose; `None` for a scene of rendered images, or of which only
    /// some views were asked for.
    pub registered: Option<Registered>,
    /// Side of the render box in the unit frame.
    pub aabb_scale: u32,
    /// World to unit: factor.
    pub scale: f64,
    /// World to unit: the rotation's axis times its angle in radians, after the factor.
    pub rotation: [f64; 3],
    /// World to unit: shift, after the rotation.
    pub offset: [f64; 3],
    /// The camera centers' box in world units.
    pub cameras_world: Extent,
    /// The camera centers' box in the unit frame.
    pub cameras_unit: Extent,
    /// Which way is up, how far apart the cameras stand, and which are probably wrong.
    pub rig: Rig,
    /// Points that structure from motion left behind; `None` if the files have none.
    pub points: Option<PointReport>,
    /// What the cameras look at together; `None` if their axes are parallel.
    pub attention: Option<Attention>,
    /// Fraction of cameras whose optical axis meets the unit cube.
    pub looking_at_cube: f64,
    /// Fraction of cameras that see any of the unit cube.
    pub seeing_cube: f64,
    /// What loading it would take, in bytes.
    pub memory: MemoryEstimate,
    /// Measurements of the images' pixels; `None` until they are decoded.
    pub pixels: Option<PixelReport>,
    /// Results of decoding masks and depth maps; `None` until then.
    pub decoded_masks: Option<MaskReport>,
    /// What the user should know but need not act on.
    pub warnings: Vec<String>,
    /// What is wrong, the worst first.
    pub problems: Vec<DataProblem>,
}

/// Number of views in each split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ViewCounts {
    /// Seen in training.
    pub train: usize,
    /// For choosing between settings.
    pub val: usize,
    /// For the final figure.
    pub test: usize,
}

/// A resolution and how many images have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many images.
    pub count: usize,
}

/// Intrinsics and how many views have them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntrinsicsCount {
    /// How many views.
    pub count: usize,
    /// What they share.
    #[serde(flatten)]
    pub intrinsics: Intrinsics,
}

/// The point closest to all optical axes (least squares).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Attention {
    /// In world units.
    pub world: [f64; 3],
    /// In the unit frame.
    pub unit: [f64; 3],
    /// Distance of the nearest camera to it, in world units.
    pub nearest: f64,
    /// Distance of the farthest camera to it, in world units.
    pub farthest: f64,
    /// Fraction of cameras in front of which it lies.
    pub in_front: f64,
}

impl SceneReport {
    /// Adds measurements of the pixels, and the problems that they show.
    pub fn add_pixels(&mut self, mut pixels: PixelReport) {
        if self.seen_through {
            pixels.background = None;
        }
        self.problems.extend(pixel_problems(&pixels, self.format == SceneFormat::Blender));
        self.problems.sort_by_key(|problem| problem.severity);
        self.pixels = Some(pixels);
    }

    /// Adds the results of decoding masks and depth maps, and the problems that they show.
    pub fn add_masks(&mut self, masks: MaskReport) {
        self.problems.extend(masks.problems());
        self.problems.sort_by_key(|problem| problem.severity);
        self.decoded_masks = Some(masks);
    }

    /// Adds a problem.
    pub fn add_problem(&mut self, problem: DataProblem) {
        self.problems.push(problem);
        self.problems.sort_by_key(|problem| problem.severity);
    }
}
