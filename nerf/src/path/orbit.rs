//! Ways around what the cameras look at.

use super::{Lens, PathError, Surroundings};
use nalgebra::{Point3, Vector3};
use nerve_data::Camera;
use std::f64::consts::TAU;

/// How an orbit differs from the training cameras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// The camera's height above the focus as an angle in radians; `None`: the median of the training cameras'.
    pub elevation: Option<f64>,
    /// The distance from the focus, as a multiple of the training cameras' median.
    pub distance: f64,
}

impl Default for Orbit {
    fn default() -> Self {
        Self { elevation: None, distance: 1.0 }
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One turn around the focus, counter-clockwise seen from above, from above or below which the first training camera is.
///
/// # Errors
/// [`PathError::NoFocus`].
pub fn orbit(
    around: &Surroundings,
    lens: Lens,
    frames: usize,
    how: &Orbit,
) -> Result<Vec<Camera>, PathError> {
    let focus = around.focus.ok_or(PathError::NoFocus)?;
    let offsets: Vec<Vector3<f64>> = around.cameras.iter().map(|camera| camera.centre() - focus).collect();
    let radius = median(offsets.iter().map(|offset| offset.norm()).collect());
    let height = |offset: &Vector3<f64>| (offset.dot(&around.up) / offset.norm().max(1e-12)).asin();
    let elevation = how.elevation.unwrap_or_else(|| median(offsets.iter().map(height).collect()));
    let ([x, y], radius) = (around.ground(&focus), radius * how.distance);
    let camera = |frame: usize| {
        let angle = TAU * frame as f64 / frames as f64;
        let level = x * angle.cos() + y * angle.sin();
        let offset = (level * elevation.cos() + around.up * elevation.sin()) * radius;
        Camera::looking_at(lens.intrinsics(), focus + offset, focus, around.up)
    };
    Ok((0..frames).map(camera).collect())
}

/// Two turns of a narrowing and widening spiral before the scene, from the middle of the training cameras, as wide as four
/// fifths of them stand: what LLFF shows of scenes that are seen from the front.
///
/// # Errors
/// [`PathError::OnePlace`].
pub fn spiral(around: &Surroundings, lens: Lens, frames: usize) -> Result<Vec<Camera>, PathError> {
    let n = around.cameras.len() as f64;
    let mean = |of: &dyn Fn(&Camera) -> Vector3<f64>| around.cameras.iter().map(of).sum::<Vector3<f64>>() / n;
    let center = Point3::from(mean(&|camera| camera.centre().coords));
    let ahead = mean(&Camera::forward);
    let target = around.focus.unwrap_or(around.middle);
    let ahead = if ahead.norm() > 1e-3 { ahead.normalize() } else { (target - center).normalize() };
    // A focus behind the cameras is of no use.
    let distance = (target - center).dot(&ahead);
    let target = if distance > 0.0 { center + ahead * distance } else { center + ahead };
    let base = Camera::looking_at(lens.intrinsics(), center, target, around.up);
    let extent = |axis: usize| {
        let of = |camera: &Camera| base.pose.inverse_transform_point(&camera.centre()).coords[axis].abs();
        let mut offsets: Vec<f64> = around.cameras.iter().map(of).collect();
        offsets.sort_by(f64::total_cmp);
        offsets[((offsets.len() - 1) as f64 * 0.8).round() as usize]
    };
    let [x, y, z] = [0, 1, 2].map(extent);
    if x + y + z <= 1e-9 * distance.abs().max(1e-9) {
        return Err(PathError::OnePlace);
    }
    let camera = |frame: usize| {
        let turn = frame as f64 / frames as f64;
        let angle = 2.0 * TAU * turn;
        let offset = Vector3::new(x * angle.cos(), y * angle.sin(), z * (TAU * turn).sin());
        Camera::looking_at(lens.intrinsics(), base.pose * Point3::from(offset), target, around.up)
    };
    Ok((0..frames).map(camera).collect())
}
