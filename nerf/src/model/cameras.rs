//! Where the training cameras are after refinement, and the colors of their photographs.

use super::Model;
use nerve_core::engine::EngineError;
use nerve_core::ops::rigid::{self, Correction};
use nerve_data::{Camera, RayCaster};
use serde::{Deserialize, Serialize};

/// How far the training cameras have been moved from where they were given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoseChange {
    /// Mean turn in degrees.
    pub mean_degrees: f64,
    /// Largest turn in degrees.
    pub max_degrees: f64,
    /// Mean shift in per cent of the cameras' mean distance from their center.
    pub mean_percent: f64,
    /// Largest shift in per cent of it.
    pub max_percent: f64,
}

/// What a field has learned about its training cameras.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LearntCameras {
    /// Corrections of their poses, `[camera][6]`.
    pub poses: Option<Vec<f32>>,
    /// Their colors, `[camera][12]`.
    pub colors: Option<Vec<f32>>,
}

/// The mean distance of cameras from their center.
fn spread(centres: &[[f32; 3]]) -> f64 {
    let n = centres.len().max(1) as f64;
    let mean = [0, 1, 2].map(|a| centres.iter().map(|c| f64::from(c[a])).sum::<f64>() / n);
    let off = |c: &[f32; 3]| (0..3).map(|a| (f64::from(c[a]) - mean[a]).powi(2)).sum::<f64>().sqrt();
    (centres.iter().map(off).sum::<f64>() / n).max(1e-9)
}

impl Model {
    /// The poses' corrections, `[training view][6]`, where they are learned.
    pub fn poses(&self) -> Option<&[f32]> {
        self.learnt.poses.as_deref()
    }

    /// The photographs' colors, `[training view][12]`, where they are learned.
    pub fn colors(&self) -> Option<&[f32]> {
        self.learnt.colors.as_deref()
    }

    /// Takes over what the engine has learned about cameras: whenever that has changed.
    pub(crate) fn read_cameras(&mut self) -> Result<(), EngineError> {
        let handles = &self.engine.layout().handles;
        let read = |block: Option<_>| block.map(|block| self.engine.read(block)).transpose();
        self.learnt = LearntCameras { poses: read(handles.poses)?, colors: read(handles.colors)? };
        Ok(())
    }

    /// The six numbers of a training view's correction.
    fn pose(&self, name: &str) -> Option<&[f32; rigid::VALUES]> {
        let (rows, _) = self.poses()?.as_chunks();
        rows.get(self.capture.row(name)?)
    }

    /// The correction of a training view's pose, where it is learned.
    pub(crate) fn correction(&self, name: &str) -> Option<Correction> {
        self.pose(name).map(|pose| Correction::new(pose))
    }

    /// The camera of a view, in the world, as it is after refinement; the given one where it was not refined. `None` if no
    /// such view is known.
    pub fn refined_camera(&self, name: &str) -> Option<Camera> {
        let mut camera = self.capture.views.iter().find(|view| view.name == name)?.camera.clone();
        if let Some(pose) = self.pose(name) {
            let [a, b, c, x, y, z] = pose.map(f64::from);
            let to_unit = self.capture.to_unit();
            let frame = to_unit.isometry.rotation;
            let turn = nalgebra::UnitQuaternion::from_scaled_axis(nalgebra::Vector3::new(a, b, c));
            let unit = to_unit * camera.centre() + nalgebra::Vector3::new(x, y, z);
            camera.pose.translation.vector = self.capture.to_world(&unit).coords;
            camera.pose.rotation = frame.inverse() * turn * frame * camera.pose.rotation;
        }
        Some(camera)
    }

    /// How far the training cameras have been moved, where poses are learned and the cameras are known.
    pub fn pose_change(&self) -> Option<PoseChange> {
        let (rows, _) = self.poses()?.as_chunks::<{ rigid::VALUES }>();
        let to_unit = self.capture.to_unit();
        let centre = |camera: &Camera| RayCaster::with_frame(camera, &to_unit).origin();
        let centres: Vec<[f32; 3]> = self.capture.trained().map(|view| centre(&view.camera)).collect();
        if centres.len() != rows.len() {
            return None;
        }
        let spread = spread(&centres);
        let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let n = rows.len().max(1) as f64;
        let (turns, shifts): (Vec<f64>, Vec<f64>) =
            rows.iter().map(|r| (norm(&r[..3]).to_degrees(), 100.0 * norm(&r[3..]) / spread)).unzip();
        let largest = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
        Some(PoseChange {
            mean_degrees: turns.iter().sum::<f64>() / n,
            max_degrees: largest(&turns),
            mean_percent: shifts.iter().sum::<f64>() / n,
            max_percent: largest(&shifts),
        })
    }
}
