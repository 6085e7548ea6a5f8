//! What a scene holds and what is wrong with it, before any training.
//!
//! [`inspect`] reads files and image headers; [`SceneReport::add_pixels`] adds what decoding every image tells, and
//! [`picture`](fn@picture) draws the cameras.

mod display;
mod geometry;
mod masks;
mod picture;
mod pixel_problems;
mod pixels;
mod problems;
mod rig;
mod unplaced;

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Point3, Similarity3};
use serde::Serialize;

use crate::camera::Intrinsics;
use crate::scene::{self, LoadOptions, MemoryEstimate, Outline, SceneError, SceneFormat};
pub use geometry::Extent;
use geometry::attention;
pub use masks::MaskReport;
pub use picture::picture;
pub(crate) use pixel_problems::listed;
pub use pixel_problems::pixel_problems;
pub use pixels::{ImagePixels, PixelReport};
pub use problems::{DataProblem, Severity};
pub use rig::{PointReport, PoseOutlier, Rig};
pub use unplaced::Registered;

/// What [`inspect`] found. Its `Display` is for people, its serde form for programs.
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
    /// How near to a camera there is anything, in unit-frame lengths, by points or stated depths: no sample is nearer.
    pub near: Option<f64>,
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
    /// The camera centres' box in world units.
    pub cameras_world: Extent,
    /// The camera centres' box in the unit frame.
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
    /// What the images' pixels tell; `None` until they are decoded.
    pub pixels: Option<PixelReport>,
    /// What masks and depth maps tell; likewise.
    pub decoded_masks: Option<MaskReport>,
    /// What the reader remarked.
    pub warnings: Vec<String>,
    /// What is wrong, the worst first.
    pub problems: Vec<DataProblem>,
}

/// Views for each purpose.
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

/// Reads a scene's files and image headers and reports what they hold.
///
/// # Errors
/// If the scene could not be loaded either: see [`scene::outline`].
pub fn inspect(path: &Path, options: &LoadOptions) -> Result<SceneReport, SceneError> {
    Ok(report(&scene::outline(path, options)?, options))
}

impl SceneReport {
    /// Adds what decoding the images has told, and what is wrong by it.
    pub fn add_pixels(&mut self, pixels: PixelReport) {
        self.problems.extend(pixel_problems(&pixels, self.format == SceneFormat::Blender));
        self.problems.sort_by_key(|problem| problem.severity);
        self.pixels = Some(pixels);
    }

    /// Adds what decoding masks and depth maps has told, and what is wrong by it.
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

/// Reports what an outline holds, which these options gave.
pub fn report(outline: &Outline, options: &LoadOptions) -> SceneReport {
    let poses: Vec<Isometry3<f64>> = outline.views.iter().map(|view| view.camera.pose).collect();
    let to_unit = |p: &Point3<f64>| outline.to_unit(p);
    let centres: Vec<Point3<f64>> = outline.views.iter().map(|view| view.camera.centre()).collect();
    let rig = Rig::of(&outline.views);
    // Wrong ones would draw it away.
    let trusted = |i: &usize| rig.outliers.iter().all(|outlier| outlier.view != *i);
    let trusted: Vec<_> = (0..poses.len()).filter(trusted).map(|i| poses[i]).collect();
    let attention = attention(&trusted).map(|world| {
        let distances = || centres.iter().map(|centre| (world - centre).norm());
        let ahead =
            outline.views.iter().filter(|v| (world - v.camera.centre()).dot(&v.camera.forward()) > 0.0);
        Attention {
            world: world.into(),
            unit: to_unit(&world).into(),
            nearest: distances().fold(f64::INFINITY, f64::min),
            farthest: distances().fold(0.0, f64::max),
            in_front: fraction(ahead.count(), outline.views.len()),
        }
    });
    let hits = |sees: fn(&crate::Camera, &Similarity3<f64>) -> bool| {
        let count = outline.views.iter().filter(|v| sees(&v.camera, &outline.frame)).count();
        fraction(count, outline.views.len())
    };
    let mut report = SceneReport {
        views: ViewCounts {
            train: outline.splits.train.len(),
            val: outline.splits.val.len(),
            test: outline.splits.test.len(),
        },
        resolutions: counted(outline.views.iter().map(|v| (v.header.width, v.header.height)))
            .into_iter()
            .map(|((width, height), count)| Resolution { width, height, count })
            .collect(),
        intrinsics: counted(outline.views.iter().map(|v| v.camera.intrinsics))
            .into_iter()
            .map(|(intrinsics, count)| IntrinsicsCount { count, intrinsics })
            .collect(),
        images_with_alpha: outline.views.iter().filter(|v| v.header.channels == 4).count(),
        cameras_world: Extent::of(centres.iter().copied()),
        cameras_unit: Extent::of(centres.iter().map(to_unit)),
        attention,
        looking_at_cube: hits(geometry::axis_meets_cube),
        seeing_cube: hits(geometry::sees_cube),
        masks: outline.views.iter().filter(|v| v.mask.is_some()).count(),
        depth_maps: outline.views.iter().filter(|v| v.depth.is_some()).count(),
        registered: (options.max_images.is_none() && outline.format != SceneFormat::Blender)
            .then(|| Registered::of(&outline.views)),
        rig,
        points: PointReport::of(outline),
        near: outline.near,
        pixels: None,
        decoded_masks: None,
        memory: outline.memory(),
        name: outline.name.clone(),
        source: outline.source.clone(),
        format: outline.format,
        missing: outline.missing.clone(),
        aabb_scale: outline.aabb_scale,
        scale: outline.frame.scaling(),
        rotation: outline.frame.isometry.rotation.scaled_axis().into(),
        offset: outline.frame.isometry.translation.vector.into(),
        warnings: outline.warnings.clone(),
        problems: Vec::new(),
    };
    report.problems = problems::find(&report, &poses);
    report
}

fn fraction(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The distinct values and how often each occurs, the most frequent first, then in order of appearance.
fn counted<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    counts
}

#[cfg(test)]
mod tests;
