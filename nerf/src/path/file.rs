//! Camera paths in files: nerve's own, Nerfstudio's and Instant-NGP's.
//!
//! **nerve's own** (what `nerve render` writes beside its frames, too):
//!
//! ```json
//! {"nerve_path": 1, "fov": 50.0, "closed": false, "keyframes": true,
//!  "frames": [{"camera_to_world": [[r, r, r, x], [r, r, r, y], [r, r, r, z]], "fov": 45.0}]}
//! ```
//!
//! `camera_to_world` has three or four rows; the camera looks along its -z axis, y is up, places are in the capture's own
//! units. `fov` is the vertical field of view in degrees, of all frames or of one. With `keyframes` the frames are passed
//! through smoothly, else they are what is rendered.
//!
//! **Nerfstudio** writes `camera_path` with `camera_to_world` of 16 numbers by rows and `fov` in degrees, in the frame that it
//! has moved the scene to, which its `dataparser_transforms.json` undoes ([`NormalizedFrame`]).
//!
//! **Instant-NGP** writes `path` with keyframes of a quaternion `R` (x, y, z, w), a place `T` and `fov` in degrees. Its
//! cameras look along +z, its axes are those of `transforms.json` turned by one, and its places are scaled by 0.33 and moved
//! by 0.5 unless the `transforms.json` says otherwise; a model knows how.

use super::{Key, PathError};
use crate::capture::Capture;
use nalgebra::{
    Isometry3, Matrix3, Matrix4, Point3, Quaternion, Rotation3, Translation3, UnitQuaternion, Vector3,
};
use serde::Deserialize;
use std::path::Path;

/// Longest file that is read.
const LARGEST: u64 = 64 << 20;
/// Columns of a rotation may differ so much from length 1 and from right angles.
const ROUNDING: f64 = 1e-3;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct PathFile {
    /// The poses, with fields of view of their own, in radians, or NaN.
    pub keys: Vec<Key>,
    /// Whether the keys are to be passed through smoothly, rather than rendered as they are.
    pub keyframes: bool,
    /// Whether the way ends where it began, where the file says so.
    pub closed: Option<bool>,
    /// The size, where the file says so.
    pub size: Option<[u32; 2]>,
    /// Seconds, where the file says so.
    pub seconds: Option<f64>,
}

/// Where Nerfstudio has moved a scene: `normalized = scale * (transform * world)`.
#[derive(Clone, Debug, Deserialize)]
pub struct NormalizedFrame {
    transform: Vec<Vec<f64>>,
    scale: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Matrix {
    Rows(Vec<Vec<f64>>),
    Flat(Vec<f64>),
}

#[derive(Deserialize)]
struct Pose {
    camera_to_world: Matrix,
    fov: Option<f64>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct NgpKey {
    R: [f64; 4],
    T: [f64; 3],
    fov: Option<f64>,
}

#[derive(Deserialize)]
struct Read {
    nerve_path: Option<u32>,
    fov: Option<f64>,
    closed: Option<bool>,
    is_cycle: Option<bool>,
    #[serde(rename = "loop")]
    loops: Option<bool>,
    keyframes: Option<bool>,
    frames: Option<Vec<Pose>>,
    camera_path: Option<Vec<Pose>>,
    path: Option<Vec<NgpKey>>,
    render_width: Option<f64>,
    render_height: Option<f64>,
    seconds: Option<f64>,
}

/// Reads a camera path; `normalized` undoes what Nerfstudio did to its frame.
///
/// # Errors
/// [`PathError::File`] names the frame and what is wrong with it.
pub fn read(
    path: &Path,
    capture: &Capture,
    normalized: Option<&NormalizedFrame>,
) -> Result<PathFile, PathError> {
    let wrong = |reason: String| PathError::File { path: path.to_owned(), reason };
    let read: Read = serde_json::from_str(&text(path)?).map_err(|e| {
        wrong(format!("no camera path: {e}; give a JSON file of nerve, Nerfstudio or Instant-NGP"))
    })?;
    let fov = |degrees: Option<f64>| degrees.or(read.fov).map_or(f64::NAN, f64::to_radians);
    let of_poses = |poses: &[Pose]| -> Result<Vec<Key>, PathError> {
        let key = |(i, pose): (usize, &Pose)| {
            let world = world_pose(&pose.camera_to_world, normalized)
                .map_err(|e| wrong(format!("frame {i}: {e}")))?;
            Ok(Key { pose: world, fov: fov(pose.fov) })
        };
        poses.iter().enumerate().map(key).collect()
    };
    let (keys, keyframes) = match (&read.frames, &read.camera_path, &read.path) {
        (Some(frames), _, _) if read.nerve_path.is_some() => {
            (of_poses(frames)?, read.keyframes.unwrap_or(false))
        }
        (_, Some(frames), _) => (of_poses(frames)?, false),
        (_, _, Some(path)) => {
            let key = |(i, key): (usize, &NgpKey)| {
                let pose = ngp_pose(key, capture).map_err(|e| wrong(format!("keyframe {i}: {e}")))?;
                Ok(Key { pose, fov: fov(key.fov) })
            };
            (path.iter().enumerate().map(key).collect::<Result<Vec<Key>, PathError>>()?, true)
        }
        _ => {
            return Err(wrong(
                "no camera path: it has no `nerve_path` with `frames`, no `camera_path` (Nerfstudio) and no `path` \
                 (Instant-NGP)"
                    .into(),
            ));
        }
    };
    if read.nerve_path.is_some_and(|version| version != 1) {
        return Err(wrong("`nerve_path` is of a later nerve: this one knows 1".into()));
    }
    if keys.is_empty() {
        return Err(wrong("it has no frames".into()));
    }
    if let Some(i) = keys.iter().position(|key| key.fov <= 0.0 || key.fov >= std::f64::consts::PI) {
        return Err(wrong(format!("frame {i}: `fov` must be between 0 and 180 degrees")));
    }
    let side = |side: Option<f64>| side.filter(|side| (1.0..=65536.0).contains(side)).map(|side| side as u32);
    Ok(PathFile {
        keys,
        keyframes,
        closed: read.closed.or(read.is_cycle).or(read.loops),
        size: side(read.render_width).zip(side(read.render_height)).map(Into::into),
        seconds: read.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0),
    })
}

impl NormalizedFrame {
    /// Reads `dataparser_transforms.json`.
    ///
    /// # Errors
    /// [`PathError::File`].
    pub fn read(path: &Path) -> Result<Self, PathError> {
        let wrong = |reason: String| PathError::File { path: path.to_owned(), reason };
        let read: Self = serde_json::from_str(&text(path)?)
            .map_err(|e| wrong(format!("{e}; give Nerfstudio's dataparser_transforms.json")))?;
        read.to_world().ok_or_else(|| wrong("`transform` and `scale` cannot be undone".into()))?;
        Ok(read)
    }

    /// From normalized places to the world's.
    fn to_world(&self) -> Option<Matrix4<f64>> {
        let mut matrix = rows(&self.transform)?;
        for i in 0..3 {
            for j in 0..4 {
                matrix[(i, j)] *= self.scale;
            }
        }
        matrix.try_inverse().filter(|inverse| inverse.iter().all(|v| v.is_finite()))
    }
}

fn text(path: &Path) -> Result<String, PathError> {
    let wrong = |reason: String| PathError::File { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if size > LARGEST {
        return Err(wrong(format!("{size} bytes are too many for a camera path")));
    }
    std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))
}

/// A matrix of three rows of four, or of four.
fn rows(rows: &[Vec<f64>]) -> Option<Matrix4<f64>> {
    let fits = (3..=4).contains(&rows.len()) && rows.iter().all(|row| row.len() == 4);
    let number = |(i, j): (usize, usize)| if i < 3 { rows[i][j] } else { f64::from(u8::from(j == 3)) };
    fits.then(|| Matrix4::from_fn(|i, j| number((i, j)))).filter(|m| m.iter().all(|v| v.is_finite()))
}

/// A rotation that columns are, but for their common length.
fn rotation(columns: Matrix3<f64>) -> Result<UnitQuaternion<f64>, String> {
    let scale = columns.determinant().cbrt();
    let columns = columns / scale;
    let off = (columns.transpose() * columns - Matrix3::identity()).abs().max();
    if scale.is_nan() || scale <= 0.0 || off.is_nan() || off > ROUNDING {
        return Err(
            "`camera_to_world` is no rotation and place: its axes are not at right angles, or mirrored"
                .into(),
        );
    }
    Ok(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix(&columns)))
}

fn world_pose(matrix: &Matrix, normalized: Option<&NormalizedFrame>) -> Result<Isometry3<f64>, String> {
    let found = match matrix {
        Matrix::Rows(all) => rows(all),
        Matrix::Flat(numbers) if numbers.len() == 12 || numbers.len() == 16 => {
            rows(&numbers.chunks(4).map(<[f64]>::to_vec).collect::<Vec<_>>())
        }
        Matrix::Flat(_) => None,
    };
    let mut found = found.ok_or("`camera_to_world` must be 3 or 4 rows of 4 finite numbers")?;
    if let Some(to_world) = normalized.and_then(NormalizedFrame::to_world) {
        found = to_world * found;
    }
    let turn = rotation(found.fixed_view::<3, 3>(0, 0).into_owned())?;
    let place = found.fixed_view::<3, 1>(0, 3).into_owned();
    Ok(Isometry3::from_parts(Translation3::from(place), turn))
}

fn ngp_pose(key: &NgpKey, capture: &Capture) -> Result<Isometry3<f64>, String> {
    let [x, y, z, w] = key.R;
    let turn = Quaternion::new(w, x, y, z);
    if turn.norm().is_nan() || turn.norm() < 1e-6 || !key.T.iter().all(|t| t.is_finite()) {
        return Err("`R` must be a quaternion and `T` a place".into());
    }
    let axes = UnitQuaternion::from_quaternion(turn).to_rotation_matrix().into_inner();
    // Instant-NGP's x, y and z are the world's y, z and x.
    let cycle = |v: Vector3<f64>| Vector3::new(v.z, v.x, v.y);
    let columns =
        [axes.column(0).into_owned(), -axes.column(1).into_owned(), -axes.column(2).into_owned()].map(cycle);
    let place = capture.to_world(&Point3::from(cycle(Vector3::from(key.T))));
    // The scene's own turn in the unit frame, none for what Instant-NGP reads.
    let turn = rotation(Matrix3::from_columns(&columns))?;
    let back = capture.to_unit().isometry.rotation.inverse();
    Ok(Isometry3::from_parts(Translation3::from(place.coords), back * turn))
}
