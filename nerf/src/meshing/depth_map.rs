//! What the training cameras see of the surface, as depth maps of pinhole cameras in their places.

use crate::error::NerfError;
use crate::model::Model;
use nalgebra::{Point3, Vector3};
use nerve_data::{Camera, Intrinsics};

/// Views that are looked through, at most, and their pixels, all together.
const MOST_VIEWS: usize = 100;
const MOST_PIXELS: f64 = 6e6;
/// The longest side of a depth map.
const LONGEST: f64 = 400.0;
/// The widest angle that a pinhole's picture has, from its axis to the side: fisheyes see more.
const WIDEST: f64 = 1.2;

/// A depth map: median distances along rays, in the world.
pub struct DepthMap {
    camera: Camera,
    /// From the world to the camera: the rows of the rotation, and the center.
    rows: [Vector3<f64>; 3],
    center: Point3<f64>,
    /// By pixel; NaN where more light gets through than not.
    pub distances: Vec<f32>,
    /// Densities there.
    densities: Vec<f32>,
}

/// Depth maps of the training views; `None` if `seen` gives `false`.
pub fn of(
    model: &mut Model,
    seen: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Option<Vec<DepthMap>>, NerfError> {
    let names: Vec<String> = model.capture().trained().map(|view| view.name.clone()).collect();
    let cameras: Vec<Camera> = names.iter().filter_map(|name| model.refined_camera(name)).collect();
    if cameras.is_empty() {
        return Err(NerfError::Other {
            path: model.config().data.scene.clone(),
            reason: "the cameras of this run are not in its files, which an earlier version wrote: train it again, or \
                     resume it for a moment, which saves them"
                .into(),
        });
    }
    let count = cameras.len().min(MOST_VIEWS);
    let chosen = (0..count).map(|i| &cameras[i * cameras.len() / count]);
    let cameras: Vec<Camera> = chosen.map(|camera| pinhole(camera, MOST_PIXELS / count as f64)).collect();
    let mut maps = Vec::with_capacity(count);
    for (i, camera) in cameras.into_iter().enumerate() {
        let view = model.surface(&camera, false)?;
        maps.push(DepthMap::new(camera, view.median, view.density));
        if !seen(i + 1, count) {
            return Ok(None);
        }
    }
    Ok(Some(maps))
}

/// A pinhole in a camera's place that sees what it sees, as far as a pinhole can, with no more than `pixels`.
fn pinhole(camera: &Camera, pixels: f64) -> Camera {
    let lens = &camera.intrinsics;
    let size = [f64::from(lens.width), f64::from(lens.height)];
    let shrink = (pixels / (size[0] * size[1])).sqrt().min(LONGEST / size[0].max(size[1])).min(1.0);
    let [width, height] = size.map(|s| (s * shrink).round().max(1.0));
    let focal = (lens.fx + lens.fy) / 2.0 * shrink;
    let focal = focal.max(width.max(height) / (2.0 * WIDEST.tan()));
    let intrinsics = Intrinsics {
        cx: lens.cx * shrink,
        cy: lens.cy * shrink,
        ..Intrinsics::pinhole(width as u32, height as u32, focal, focal)
    };
    Camera { intrinsics, pose: camera.pose }
}

/// The median of the densities at the surface as cameras see it; 0 where there is none.
pub fn typical_density(maps: &[DepthMap]) -> f32 {
    let mut all: Vec<f32> =
        maps.iter().flat_map(|map| map.densities.iter().copied()).filter(|d| *d > 0.0).collect();
    if all.is_empty() {
        return 0.0;
    }
    let middle = all.len() / 2;
    *all.select_nth_unstable_by(middle, f32::total_cmp).1
}

impl DepthMap {
    /// What a pinhole sees: distances along the rays, NaN where there is nothing, and densities.
    pub fn new(camera: Camera, distances: Vec<f32>, densities: Vec<f32>) -> Self {
        let turn = camera.pose.rotation.inverse().to_rotation_matrix();
        let rows = [0, 1, 2].map(|r| turn.matrix().row(r).transpose());
        Self { rows, center: camera.centre(), camera, distances, densities }
    }

    /// The center of its camera.
    pub fn center(&self) -> &Point3<f64> {
        &self.center
    }

    /// Places that it sees, of every `step`th pixel.
    pub fn points(&self, step: usize) -> impl Iterator<Item = Point3<f64>> + '_ {
        let (lens, width) = (&self.camera.intrinsics, self.camera.intrinsics.width as usize);
        let there = self.distances.iter().enumerate().step_by(step).filter(|(_, d)| !d.is_nan());
        there.map(move |(i, distance)| {
            let (x, y) = ((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
            let local = Vector3::new((x - lens.cx) / lens.fx, -(y - lens.cy) / lens.fy, -1.0).normalize();
            self.center + self.camera.pose.rotation * local * f64::from(*distance)
        })
    }

    /// How far a point is, and what is seen there: the distance of the surface in front of or behind it, NaN where the view
    /// is free. `None` out of the picture. Between pixels that see one surface distances are interpolated; `near` is how
    /// much they may differ.
    pub fn look(&self, point: &Point3<f64>, near: f64) -> Option<(f64, f64)> {
        let off = point - self.center;
        let ahead = -self.rows[2].dot(&off);
        if ahead <= 0.0 {
            return None;
        }
        let lens = &self.camera.intrinsics;
        let x = lens.fx * self.rows[0].dot(&off) / ahead + lens.cx;
        let y = -lens.fy * self.rows[1].dot(&off) / ahead + lens.cy;
        let (width, height) = (f64::from(lens.width), f64::from(lens.height));
        if !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
            return None;
        }
        let at = |x: f64, y: f64| f64::from(self.distances[y as usize * lens.width as usize + x as usize]);
        let nearest = at(x, y);
        let (u, v) = ((x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0));
        let (u1, v1) = ((u + 1.0).min(width - 1.0), (v + 1.0).min(height - 1.0));
        let around = [at(u, v), at(u1, v), at(u, v1), at(u1, v1)];
        let smooth = around.iter().all(|d| (d - nearest).abs() <= near);
        let (s, t) = (u.fract(), v.fract());
        let mean =
            (around[0] * (1.0 - s) + around[1] * s) * (1.0 - t) + (around[2] * (1.0 - s) + around[3] * s) * t;
        Some((off.norm(), if smooth { mean } else { nearest }))
    }

    /// Whether it sees a surface at a point, no farther from it than `near`.
    pub fn sees(&self, point: &Point3<f64>, near: f64) -> bool {
        self.look(point, near).is_some_and(|(far, seen)| (far - seen).abs() <= near)
    }
}
