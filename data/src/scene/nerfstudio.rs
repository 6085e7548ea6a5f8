//! The fields that Nerfstudio's `transforms.json` has beyond Instant-NGP's: a transform that was applied to the poses
//! after they were solved, and a file of points.
//!
//! With `json = applied_scale * (applied_transform * original)`, this crate's world is the **original** one: that of
//! the COLMAP model or scan that the file was made from, so that exports fit other results made from it. Points and depth
//! maps are stored in the file's frame and are transformed with the poses.

use std::path::{Path, PathBuf};

use nalgebra::{Isometry3, Matrix3, Point3, Vector3};
use serde::Deserialize;
use serde_json::Value;

use super::error::{SceneError, field_error};
use super::ply;
use super::points::ScenePoint;
use crate::camera::pose_from_rows;
use crate::regular;

/// Fields that only Nerfstudio writes.
const OWN: [&str; 9] = [
    "camera_model",
    "applied_transform",
    "applied_scale",
    "ply_file_path",
    "orientation_override",
    "train_filenames",
    "val_filenames",
    "test_filenames",
    "fisheye_crop_radius",
];
/// Fields of Instant-NGP's placement.
const PLACEMENT: [&str; 4] = ["aabb_scale", "scale", "offset", "aabb"];

/// Whether a file is Nerfstudio's: it has a field that only Nerfstudio writes, and no placement.
pub(super) fn is_its(file: &Value) -> bool {
    let has = |name: &&str| file.get(name).is_some_and(|value| !value.is_null());
    OWN.iter().any(has) && !PLACEMENT.iter().any(has)
}

/// A warning for a file that has Instant-NGP's placement and therefore ignores fields of Nerfstudio.
pub(super) fn ignored_fields(file: &Value) -> Option<String> {
    let there = |names: &[&'static str]| {
        names.iter().copied().filter(|name| file.get(name).is_some_and(|v| !v.is_null())).collect::<Vec<_>>()
    };
    let own = there(&["applied_transform", "applied_scale", "ply_file_path"]);
    (!own.is_empty()).then(|| {
        format!(
            "Nerfstudio's {} are ignored because of Instant-NGP's {}; remove the latter if the file is Nerfstudio's",
            own.join(", "),
            there(&PLACEMENT).join(", ")
        )
    })
}

/// The fields as found.
#[derive(Deserialize)]
pub(super) struct NerfstudioFields {
    applied_transform: Option<Vec<Vec<f64>>>,
    applied_scale: Option<f64>,
    ply_file_path: Option<String>,
    fisheye_crop_radius: Option<f64>,
}

/// The transform from the original world to the file's frame, and the points that are stored in that frame.
#[derive(Debug)]
pub(super) struct AppliedTransform {
    applied: Isometry3<f64>,
    /// Length in the original world of 1 in the file.
    unit: f64,
    ply: Option<PathBuf>,
    cropped: bool,
}

impl AppliedTransform {
    /// Checks the fields of a file.
    pub fn new(path: &Path, fields: NerfstudioFields) -> Result<Self, SceneError> {
        let (applied, within) = match &fields.applied_transform {
            None => (Isometry3::identity(), 1.0),
            Some(rows) => {
                let applied = pose_from_rows(rows)
                    .map_err(|e| field_error(path, "applied_transform", &format!("{e}; or leave it out")))?;
                // It was read as a pose, so it has these entries and is not mirrored.
                let linear = Matrix3::from_fn(|r, c| rows[r][c]);
                (applied, linear.determinant().cbrt())
            }
        };
        let scale = fields.applied_scale.unwrap_or(1.0);
        if !(scale.is_finite() && scale > 0.0) {
            return Err(field_error(path, "applied_scale", &format!("is {scale}, it must be positive")));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        // json = scale * (within * R * original + t)
        let moved = applied.translation.vector / within;
        let applied = Isometry3::from_parts(moved.into(), applied.rotation);
        Ok(Self {
            applied,
            unit: 1.0 / (scale * within),
            ply: fields.ply_file_path.map(|file| folder.join(file)),
            cropped: fields.fisheye_crop_radius.is_some(),
        })
    }

    /// Length in the original world of 1 in the file.
    pub fn unit(&self) -> f64 {
        self.unit
    }

    /// Whether the images are to be used within a circle only.
    pub fn is_cropped(&self) -> bool {
        self.cropped
    }

    /// A pose of the file in the original world.
    pub fn pose(&self, pose: &Isometry3<f64>) -> Isometry3<f64> {
        let centre: Vector3<f64> = pose.translation.vector * self.unit;
        let scaled = Isometry3::from_parts(centre.into(), pose.rotation);
        self.applied.inverse() * scaled
    }

    /// The points, in the original world, and a warning if some are missing.
    pub fn points(&self) -> Result<(Vec<ScenePoint>, Option<String>), SceneError> {
        let Some(path) = &self.ply else { return Ok((Vec::new(), None)) };
        if !path.is_file() {
            let warning =
                format!("{}, given as ply_file_path, does not exist: no points are used", path.display());
            return Ok((Vec::new(), Some(warning)));
        }
        let bytes = regular::read(path).map_err(|source| SceneError::Io { path: path.clone(), source })?;
        let ply = ply::parse(&bytes).map_err(|problem| field_error(path, "the points", &problem))?;
        let warning = (ply.left_out > 0).then(|| {
            let all = ply.points.len() + ply.left_out;
            format!("{}: {} of {all} points are not finite and were left out", path.display(), ply.left_out)
        });
        let placed = |point: ply::PlyPoint| ScenePoint {
            position: self.applied.inverse_transform_point(&Point3::from(point.position.coords * self.unit)),
            color: point.color.unwrap_or([128; 3]),
            error: 0.0,
            views: Vec::new(),
        };
        Ok((ply.points.into_iter().map(placed).collect(), warning))
    }
}
