//! A model as events, for viewers: cameras and their photographs, renderings, the surface, the occupied cells.
//!
//! What is published is in the world frame.

use crate::capture::{Capture, CapturedView};
use crate::error::NerfError;
use crate::model::Model;
use crate::path::is_way;
use crate::rendering::{Rendering, flatten};
use nalgebra::Point3;
use nerve_core::ops::march::{CELLS, SIDE, morton};
use nerve_core::run::{self, Event, Events, ImageRole, MapRole, Photo};
use nerve_data::{Camera, Image8, Scene};
use rayon::prelude::*;
use std::collections::HashMap;

/// Bytes of all photographs together.
const PHOTOS: usize = 16 << 20;
/// Longest side of a picture that surface points are taken from, and from how many cameras they are.
const POINTS_SIDE: u32 = 96;
const POINTS_CAMERAS: usize = 24;

/// Renderings beside what the camera saw, as 8-bit RGB.
pub(crate) struct Compared {
    pub rendered: Vec<u8>,
    pub truth: Vec<u8>,
    /// Their absolute difference, four times as large as it is.
    pub error: Vec<u8>,
}

/// Tells viewers of the cameras and their way; where there is the scene, also of the photographs and of the points that
/// came with them.
pub fn publish_cameras(capture: &Capture, scene: Option<&Scene>, events: &Events) {
    let side = events.previews().map_or(0, |request| request.side);
    let shared = ((PHOTOS / capture.views.len().max(1) / 3) as f64).sqrt() as usize;
    let side = side.min(shared).max(16) as u32;
    let held_out = capture.held_out();
    let images: HashMap<&str, &Image8> =
        scene.iter().flat_map(|scene| &scene.views).map(|view| (view.name.as_str(), &view.image)).collect();
    let view = |view: &CapturedView| {
        let (k, pose) = (&view.camera.intrinsics, view.camera.pose.to_homogeneous());
        run::View {
            name: view.name.clone(),
            held_out: Some(view.split) == held_out,
            pose: std::array::from_fn(|r| std::array::from_fn(|c| pose[(r, c)])),
            resolution: [f64::from(k.width), f64::from(k.height)],
            focal: [k.fx, k.fy],
            principal: [k.cx, k.cy],
            photo: images.get(view.name.as_str()).and_then(|image| photo(image, factor(&view.camera, side))),
        }
    };
    let views: Vec<run::View> = capture.views.par_iter().map(view).collect();
    events.publish(Event::Cameras { views: views.into() });
    if let Some(points) = way(capture) {
        events.publish(Event::Path { name: "capture".into(), points: points.into() });
    }
    let points = scene.map_or(&[][..], |scene| &scene.points);
    if !points.is_empty() {
        let positions = points.iter().map(|p| p.position.coords.cast().into()).collect();
        let colors = points.iter().map(|p| p.color).collect();
        let name = "sparse".into();
        events.publish(Event::Points { step: None, name, positions, colors, radius: 0.0 });
    }
}

/// The surface as all of its cameras see it now.
pub fn publish_surface(model: &mut Model, events: &Events) {
    for (number, camera) in around(model.capture()).iter().enumerate() {
        publish_points(model, events, camera, number);
    }
}

/// A rendering, what it is compared to if that is known, and its depth in the world.
pub(crate) fn publish_pictures(
    model: &Model,
    events: &Events,
    name: &str,
    camera: &Camera,
    picture: &Rendering,
    compared: Compared,
) {
    let (step, width, height) = (model.step_count(), picture.width as usize, picture.height as usize);
    let Compared { rendered, truth, error } = compared;
    let pictures =
        [(ImageRole::GroundTruth, truth), (ImageRole::Prediction, rendered), (ImageRole::Error, error)];
    for (role, data) in pictures.into_iter().filter(|(_, data)| !data.is_empty()) {
        let (name, data) = (name.to_owned(), data.into());
        events.publish(Event::Image { step, name, role, width, height, channels: 3, data });
    }
    let values = model.depths(camera, picture).into();
    let (name, role) = (name.to_owned(), MapRole::Depth);
    events.publish(Event::Map { step, name, role, width, height, values });
}

/// Renderings of the held-out views and their depths, with nothing to compare them to; `seen` hears of every finished
/// one, and of how many there are, and says whether to go on.
///
/// # Errors
/// If the device fails.
pub fn publish_held_out(
    model: &mut Model,
    events: &Events,
    seen: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<(), NerfError> {
    let held_out = model.capture().held_out();
    let views = model.capture().views.iter().filter(|view| Some(view.split) == held_out);
    let views: Vec<_> = views.map(|view| (view.name.clone(), view.camera.clone())).collect();
    for (done, (name, camera)) in views.iter().enumerate() {
        if !seen(done, views.len()) {
            return Ok(());
        }
        let picture = model.render(camera)?;
        let compared = Compared { rendered: picture.rgb(1.0), truth: Vec::new(), error: Vec::new() };
        publish_pictures(model, events, name, camera, &picture, compared);
    }
    seen(views.len(), views.len());
    Ok(())
}

/// Where the rays of a small camera end, in the colors that they see.
pub(crate) fn publish_points(model: &mut Model, events: &Events, camera: &Camera, number: usize) {
    let Ok(picture) = model.render(camera) else { return };
    let colors = picture.rgb(1.0);
    let (mut positions, mut seen, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    let (_, rays) = model.rays(camera);
    let to_unit = model.capture().to_unit();
    let pixels = picture.surfaces().zip(rays).zip(colors.chunks_exact(3));
    for ((t, (origin, direction)), color) in pixels.filter(|((t, _), _)| t.is_finite()) {
        let at: [f64; 3] = std::array::from_fn(|a| f64::from(origin[a] + t * direction[a]));
        positions.push(to_unit.inverse_transform_point(&Point3::from(at)).coords.cast().into());
        seen.push([color[0], color[1], color[2]]);
        distances.push(t);
    }
    if distances.is_empty() {
        return;
    }
    let middle = distances.len() / 2;
    let middle = *distances.select_nth_unstable_by(middle, f32::total_cmp).1;
    // So large that the points of a surface that is looked at from the front touch.
    let radius = (f64::from(middle) / to_unit.scaling() / camera.intrinsics.fx * 0.6) as f32;
    let (step, name) = (Some(model.step_count()), format!("surface/{number}").into());
    let (positions, colors) = (positions.into(), seen.into());
    events.publish(Event::Points { step, name, positions, colors, radius });
}

/// The occupied cells with their densities, eight to one, cascade by cascade.
pub fn publish_cells(model: &Model, events: &Events) {
    const HALF: usize = SIDE / 2;
    let (bits, density) = (model.occupancy.bits(), model.occupancy.density());
    for cascade in 0..bits.cascades() {
        let mut values = vec![f32::NAN; HALF * HALF * HALF];
        for (code, children) in density[cascade * CELLS..(cascade + 1) * CELLS].chunks_exact(8).enumerate() {
            let [x, y, z] = morton::decode(code as u32).map(|v| v as usize);
            // A finer cascade covers the middle.
            let inner = |v: usize| (HALF / 4..3 * HALF / 4).contains(&v);
            if cascade > 0 && inner(x) && inner(y) && inner(z) {
                continue;
            }
            let first = cascade * CELLS + code * 8;
            let occupied = (0..8).filter(|i| bits.get(first + i)).map(|i| children[i]);
            values[(z * HALF + y) * HALF + x] = occupied.fold(f32::NAN, f32::max);
        }
        if values.iter().all(|v| v.is_nan()) {
            continue;
        }
        let (step, name) = (model.step_count(), format!("occupancy/{cascade}").into());
        let frame = model.box_frame(f64::from(1u32 << cascade));
        events.publish(Event::Voxels { step, name, cells: [HALF; 3], frame, values: values.into() });
    }
}

/// Small cameras, evenly chosen, that surface points are taken from.
pub(crate) fn around(capture: &Capture) -> Vec<Camera> {
    let every = capture.views.len().div_ceil(POINTS_CAMERAS).max(1);
    let views = capture.views.iter().step_by(every);
    views.filter_map(|v| smaller(&v.camera, factor(&v.camera, POINTS_SIDE))).collect()
}

/// Four times the absolute differences.
pub(crate) fn differences(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b).saturating_mul(4)).collect()
}

/// By how much a camera's pictures are downscaled to be no longer than `side`.
pub(crate) fn factor(camera: &Camera, side: u32) -> u32 {
    let (width, height) = (camera.intrinsics.width, camera.intrinsics.height);
    width.max(height).div_ceil(side.max(1)).clamp(1, width.min(height).max(1))
}

/// A camera whose pictures are downscaled.
pub(crate) fn smaller(camera: &Camera, n: u32) -> Option<Camera> {
    Some(Camera { intrinsics: camera.intrinsics.downscale(n).ok()?, pose: camera.pose })
}

fn photo(image: &Image8, n: u32) -> Option<Photo> {
    let small = image.downscale(n).ok()?;
    let (width, height) = (small.width() as usize, small.height() as usize);
    Some(Photo { width, height, data: flatten(&small, 1.0).into() })
}

/// The way through the cameras in the order of their names, if it is one rather than jumps to and fro.
fn way(capture: &Capture) -> Option<Vec<[f32; 3]>> {
    let mut views: Vec<_> = capture.views.iter().collect();
    views.sort_by(|a, b| a.name.len().cmp(&b.name.len()).then_with(|| a.name.cmp(&b.name)));
    let centres: Vec<Point3<f64>> = views.iter().map(|view| view.camera.centre()).collect();
    is_way(&centres).then(|| centres.iter().map(|c| c.coords.cast().into()).collect())
}
