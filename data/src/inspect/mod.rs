//! Inspecting a scene before training: what it contains and what is wrong with it.
//!
//! [`inspect`] reads files and image headers, and a few images where poses look odd; [`SceneReport::add_pixels`] adds what decoding
//! every image shows, and
//! [`picture`](fn@picture) draws the cameras.

mod axes;
mod contradiction;
mod display;
mod geometry;
mod little;
mod masks;
mod objects;
mod picture;
mod pixel_problems;
mod pixels;
mod problems;
mod report;
mod rig;
mod unplaced;

use std::path::Path;

use nalgebra::{Isometry3, Point3, Similarity3};

use crate::camera::attention;

pub use crate::problem::{DataProblem, Severity};
use crate::scene::{self, LoadOptions, Outline, OutlinedView, SceneError, SceneFormat, ViewChoice};
pub use contradiction::{contradiction, group_names, pair_picture};
pub use geometry::Extent;
pub use little::{SMALLEST_SIDE, too_little};
pub use masks::MaskReport;
pub use objects::object_masks;
pub use picture::picture;
pub use pixel_problems::pixel_problems;
pub use pixels::{ImagePixels, PixelReport};
pub use report::{Attention, IntrinsicsCount, Resolution, SceneReport, ViewCounts};
pub use rig::{PointReport, PoseOutlier, Rig};
pub use unplaced::Registered;

/// Reads a scene's files and image headers and reports what they contain.
///
/// # Errors
/// If the scene could not be loaded either: see [`scene::outline`].
pub fn inspect(path: &Path, options: &LoadOptions) -> Result<SceneReport, SceneError> {
    Ok(report(&scene::outline(path, options)?, options))
}

/// Reports what an outline contains; `options` are those that it was read with.
pub fn report(outline: &Outline, options: &LoadOptions) -> SceneReport {
    let poses: Vec<Isometry3<f64>> = outline.views.iter().map(|view| view.camera.pose).collect();
    let to_unit = |p: &Point3<f64>| outline.to_unit(p);
    let centres: Vec<Point3<f64>> = outline.views.iter().map(|view| view.camera.centre()).collect();
    let rig = Rig::of(&outline.views);
    // Without the outliers, which would shift the result.
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
        seen_through: outline.views.iter().any(OutlinedView::is_seen_through),
        depth_maps: outline.views.iter().filter(|v| v.depth.is_some()).count(),
        registered: (options.max_images.is_none()
            && options.views == ViewChoice::All
            && outline.format != SceneFormat::Blender)
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
    report.problems = problems::find(&report, &poses, &axes::axes(outline));
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
