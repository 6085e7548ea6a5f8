//! What the training cameras say about the scene: where it is, which way is up, from where it is seen.

use super::PathError;
use crate::capture::{Capture, CapturedView};
use nalgebra::{Isometry3, Point3, Vector3};
use nerve_data::Camera;
use nerve_data::camera::meeting_point;
use nerve_data::scene::Split;

/// Axes that differ less meet nowhere: the mean squared sine of their angles to the common direction, some 2 degrees.
const PARALLEL: f64 = 1e-3;
/// Of the cameras, this share must have the focus before them.
const BEFORE: f64 = 0.8;
/// Cameras surround a focus if no gap between their directions is wider.
const WIDEST_GAP: f64 = 100.0;

/// Where the training cameras stand and what they look at, in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Surroundings {
    /// The cameras.
    pub cameras: Vec<Camera>,
    /// Up, of length 1.
    pub up: Vector3<f64>,
    /// The place nearest to all optical axes, if they meet before the cameras.
    pub focus: Option<Point3<f64>>,
    /// The middle of the box that the field fills.
    pub middle: Point3<f64>,
}

impl Surroundings {
    /// Of a capture. Up is the z axis of its unit frame.
    ///
    /// # Errors
    /// [`PathError::NoCameras`].
    pub fn of(capture: &Capture) -> Result<Self, PathError> {
        let is_trained = |view: &&CapturedView| view.split == Split::Train;
        let trained: Vec<Camera> =
            capture.views.iter().filter(is_trained).map(|view| view.camera.clone()).collect();
        let cameras = if trained.is_empty() {
            capture.views.iter().map(|view| view.camera.clone()).collect()
        } else {
            trained
        };
        if cameras.is_empty() {
            return Err(PathError::NoCameras);
        }
        let to_unit = capture.to_unit();
        Ok(Self {
            up: to_unit.isometry.rotation.inverse() * Vector3::z(),
            focus: focus(&cameras),
            middle: capture.to_world(&Point3::new(0.5, 0.5, 0.5)),
            cameras,
        })
    }

    /// Two directions that span the ground: the first from the focus toward the first camera, or any.
    #[must_use]
    pub fn ground(&self, center: &Point3<f64>) -> [Vector3<f64>; 2] {
        let offset = self.cameras.first().map_or_else(Vector3::x, |camera| camera.centre() - center);
        let level = offset - self.up * offset.dot(&self.up);
        let first = if level.norm() > 1e-9 * offset.norm().max(1e-9) {
            level.normalize()
        } else {
            Vector3::ith(self.up.iamin(), 1.0).cross(&self.up).normalize()
        };
        [first, self.up.cross(&first)]
    }

    /// Whether the cameras stand all around what they look at.
    #[must_use]
    pub fn surround(&self) -> bool {
        let Some(focus) = self.focus else { return false };
        let [x, y] = self.ground(&focus);
        let angle = |camera: &Camera| {
            let offset = camera.centre() - focus;
            offset.dot(&y).atan2(offset.dot(&x)).to_degrees()
        };
        let mut angles: Vec<f64> = self.cameras.iter().map(angle).collect();
        angles.sort_by(f64::total_cmp);
        let gaps = angles.windows(2).map(|w| w[1] - w[0]);
        let around = angles.first().zip(angles.last()).map_or(360.0, |(first, last)| 360.0 - (last - first));
        gaps.fold(around, f64::max) <= WIDEST_GAP
    }
}

/// Where the optical axes meet, if that is before the cameras.
fn focus(cameras: &[Camera]) -> Option<Point3<f64>> {
    let poses: Vec<Isometry3<f64>> = cameras.iter().map(|camera| camera.pose).collect();
    let focus = meeting_point(&poses, PARALLEL)?;
    let before = |camera: &&Camera| (focus - camera.centre()).dot(&camera.forward()) > 0.0;
    let share = cameras.iter().filter(before).count() as f64 / cameras.len() as f64;
    (share >= BEFORE).then_some(focus)
}
