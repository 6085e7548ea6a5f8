//! The JSON of `transforms*.json` files, which Blender's, Instant-NGP's and Nerfstudio's formats share.

use std::path::{Path, PathBuf};

use nalgebra::Isometry3;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::dialect;
use super::error::{SceneError, field_error};
use super::lens_fields::LensFields;
use super::listing::{DepthFile, ListedFrame, ListedLens, MaskFile, Placement, plain_name};
use super::nerfstudio::{self, AppliedTransform};
use super::relaxed;
use super::splits::Split;
use super::unread;
use crate::camera::{FARTHEST, pose_from_rows};
use crate::image::Clear;
use crate::regular;

/// Largest side of the render box: Instant-NGP's eight cascades.
pub(super) const MAX_AABB_SCALE: f64 = 128.0;

/// World units of a stored 1 in a depth map, if the file has no unit: Nerfstudio's default, millimeters.
const DEPTH_UNIT: f64 = 1e-3;

/// One file, its numbers checked.
#[derive(Debug)]
pub(super) struct TransformsFile {
    pub path: PathBuf,
    pub lens: LensFields,
    pub placement: Placement,
    pub frames: Vec<Frame>,
    /// The transform of Nerfstudio's files; `None` in Instant-NGP's.
    pub origin: Option<AppliedTransform>,
    /// What is ignored or taken otherwise than its author may expect.
    pub warnings: Vec<String>,
    /// Colors that stand for nothing.
    pub clear: Clear,
    /// Nerfstudio's lists of which frame is for what, if given: train, val, test.
    pub split_lists: [Option<Vec<String>>; 3],
}

/// One listed image.
#[derive(Debug)]
pub(super) struct Frame {
    pub file_path: String,
    pub pose: Isometry3<f64>,
    /// Relative to the file, as `file_path` is.
    pub mask: Option<MaskFile>,
    /// Likewise.
    pub depth: Option<DepthFile>,
    /// What this frame overrides.
    pub lens: LensFields,
}

impl Frame {
    /// The frame as it is listed: the `index`-th of the file at `path`, whose lens has these fields.
    pub fn listed(
        self,
        index: usize,
        split: Option<Split>,
        path: &Path,
        lens: &LensFields,
        clear: Clear,
    ) -> ListedFrame {
        ListedFrame {
            image: path.parent().unwrap_or(Path::new("")).join(plain_name(&self.file_path)),
            name: self.file_path,
            pose: self.pose,
            lens: ListedLens::Fields(Box::new(self.lens.over(lens))),
            mask: self.mask,
            depth: self.depth,
            bounds: None,
            clear,
            split,
            listed_in: path.to_owned(),
            place: format!("frames[{index}]"),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    aabb_scale: Option<f64>,
    scale: Option<f64>,
    offset: Option<[f64; 3]>,
    // Kept as values so that each frame is read twice, as its own fields and as lens overrides: serde's
    // `flatten` would lose the path that an error names.
    frames: Vec<Value>,
    train_filenames: Option<Vec<String>>,
    val_filenames: Option<Vec<String>>,
    test_filenames: Option<Vec<String>>,
    #[serde(alias = "integer_depth_scale")]
    depth_unit_scale_factor: Option<f64>,
    white_transparent: Option<bool>,
    black_transparent: Option<bool>,
}

#[derive(Deserialize)]
struct FrameHead {
    file_path: String,
    transform_matrix: Option<Vec<Vec<f64>>>,
    // Of a camera that moves while the shutter is open: they override the one above, as in Instant-NGP.
    transform_matrix_start: Option<Vec<Vec<f64>>>,
    transform_matrix_end: Option<Vec<Vec<f64>>>,
    mask_path: Option<String>,
    // What some exporters of Nerfstudio files call it.
    mask_filename: Option<String>,
    #[serde(alias = "depth_path")]
    depth_file_path: Option<String>,
}

/// Reads and checks one file. Unknown fields are ignored.
pub(super) fn read(path: &Path) -> Result<TransformsFile, SceneError> {
    let text =
        regular::read_to_string(path).map_err(|source| SceneError::Io { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Checks a file's text; `path` is where it lies, for errors and for what it names beside itself.
pub(super) fn parse(path: &Path, text: &str) -> Result<TransformsFile, SceneError> {
    let text = &relaxed::plain(text.trim_start_matches('\u{feff}'));
    let mut json = serde_json::Deserializer::from_str(text);
    let mut value: Value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let error = json_error(path, "", &e);
        match no_number(text, e.inner()) {
            Some(what) => no_number_error(error, what),
            None => error,
        }
    })?;
    json.end().map_err(|e| SceneError::Json {
        path: path.to_owned(),
        field: "after the end".into(),
        problem: e.to_string(),
    })?;

    let mut warnings = dialect::rewrite(path, &mut value)?;
    warnings.extend(unread::warnings(&value));
    let head: Head = part(path, "", &value)?;
    let lens: LensFields = part(path, "", &value)?;
    let placement = placement(path, &head)?;
    if head.frames.is_empty() {
        return Err(field_error(path, "frames", "is empty; list at least one image with its pose"));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let origin = match nerfstudio::is_its(&value) {
        true => Some(AppliedTransform::new(path, part(path, "", &value)?)?),
        false => None,
    };
    let stored = head.depth_unit_scale_factor.unwrap_or(DEPTH_UNIT);
    let unit = stored * origin.as_ref().map_or(1.0, AppliedTransform::unit);
    if !(stored > 0.0 && unit.is_finite() && unit > 0.0) {
        let problem = format!("is {stored}, it must be positive, and finite when divided by applied_scale");
        return Err(field_error(path, "depth_unit_scale_factor", &problem));
    }
    let frame = |(i, value): (usize, &Value)| {
        let at = format!("frames[{i}]");
        let head: FrameHead = part(path, &at, value)?;
        let pose = frame_pose(path, &at, &head)?;
        let FrameHead { file_path, mask_path, mask_filename, depth_file_path, .. } = head;
        let pose = origin.as_ref().map_or(pose, |origin| origin.pose(&pose));
        if !pose.translation.vector.iter().all(|v| v.abs() <= FARTHEST) {
            let problem =
                format!("and applied_transform put the camera of {at} ({file_path}) too far from the origin");
            return Err(field_error(path, "applied_scale", &problem));
        }
        let mask = mask_path.or(mask_filename);
        let mask = mask.map(|listed| MaskFile::new(folder.join(plain_name(&listed))));
        let depth = depth_file_path.map(|listed| DepthFile { path: folder.join(plain_name(&listed)), unit });
        Ok(Frame { file_path, pose, mask, depth, lens: part(path, &at, value)? })
    };
    let frames = head.frames.iter().enumerate().map(frame).collect::<Result<_, SceneError>>()?;
    warnings.extend(moving(&head.frames));
    if origin.is_none() {
        warnings.extend(nerfstudio::ignored_fields(&value));
    }
    Ok(TransformsFile {
        path: path.to_owned(),
        lens,
        placement,
        frames,
        warnings,
        clear: Clear {
            white: head.white_transparent == Some(true),
            black: head.black_transparent == Some(true),
        },
        origin,
        split_lists: [head.train_filenames, head.val_filenames, head.test_filenames],
    })
}

/// The pose of a frame; of a camera that moves, the one half way.
fn frame_pose(path: &Path, at: &str, head: &FrameHead) -> Result<Isometry3<f64>, SceneError> {
    let image = &head.file_path;
    let read = |field: &str, rows: &[Vec<f64>]| {
        pose_from_rows(rows)
            .map_err(|e| field_error(path, &format!("{at}.{field}"), &format!("{e} (image {image})")))
    };
    let Some(rows) = &head.transform_matrix_start else {
        return match &head.transform_matrix {
            Some(rows) => read("transform_matrix", rows),
            None => Err(SceneError::Json {
                path: path.to_owned(),
                field: at.to_owned(),
                problem: "missing field `transform_matrix`".into(),
            }),
        };
    };
    let start = read("transform_matrix_start", rows)?;
    let Some(rows) = head.transform_matrix_end.as_ref().filter(|end| *end != rows) else { return Ok(start) };
    let end = read("transform_matrix_end", rows)?;
    let centre = start.translation.vector.lerp(&end.translation.vector, 0.5);
    // Half a turn apart there is no way between them.
    let rotation = start.rotation.try_slerp(&end.rotation, 0.5, 1e-6).unwrap_or(start.rotation);
    Ok(Isometry3::from_parts(centre.into(), rotation))
}

/// A warning if cameras move while their shutters are open.
fn moving(frames: &[Value]) -> Option<String> {
    let moves = |frame: &&Value| {
        let of = |name: &str| frame.get(name).filter(|matrix| !matrix.is_null());
        let [start, end] = ["transform_matrix_start", "transform_matrix_end"].map(of);
        start.is_some() && end.is_some() && start != end
    };
    let count = frames.iter().filter(moves).count();
    (count > 0).then(|| {
        format!(
            "the cameras of {count} images move from transform_matrix_start to transform_matrix_end: the pose half way is \
             used, and what moved meanwhile is blurred"
        )
    })
}

fn placement(path: &Path, head: &Head) -> Result<Placement, SceneError> {
    let aabb_scale = head.aabb_scale.unwrap_or(1.0);
    if !(1.0..=MAX_AABB_SCALE).contains(&aabb_scale) || aabb_scale.log2().fract() != 0.0 {
        let problem = format!("is {aabb_scale}, it must be a power of two from 1 to {MAX_AABB_SCALE}");
        return Err(field_error(path, "aabb_scale", &problem));
    }
    let scale = head.scale.unwrap_or(Placement::SCALE);
    if !(scale.is_finite() && scale > 0.0) {
        return Err(field_error(path, "scale", &format!("is {scale}, it must be positive")));
    }
    Ok(Placement::stated(aabb_scale as u32, scale, head.offset.unwrap_or(Placement::OFFSET)))
}

/// Reads some of the fields of a part of the file; `at` is the part's own place, for the error.
fn part<T: DeserializeOwned>(path: &Path, at: &str, value: &Value) -> Result<T, SceneError> {
    // Serde would take a list for the fields in their order.
    if !value.is_object() {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            _ => "a list",
        };
        let field = if at.is_empty() { "the file as a whole" } else { at };
        let keys = if at.is_empty() { "frames" } else { "file_path" };
        return Err(field_error(
            path,
            field,
            &format!("is {kind}, it must be an object: {{\"{keys}\": ...}}"),
        ));
    }
    serde_path_to_error::deserialize(value).map_err(|e| json_error(path, at, &e))
}

fn json_error(path: &Path, at: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> SceneError {
    let inner = error.path().to_string();
    let field = match (at, inner.as_str()) {
        ("", ".") => "the file as a whole".to_owned(),
        ("", inner) => inner.to_owned(),
        (at, ".") => at.to_owned(),
        (at, inner) => format!("{at}.{inner}"),
    };
    SceneError::Json { path: path.to_owned(), field, problem: error.inner().to_string() }
}

/// `NaN` or an infinity where a syntax error is: Python writes them, JSON has none.
fn no_number(text: &str, error: &serde_json::Error) -> Option<&'static str> {
    let line = text.trim_start_matches('\u{feff}').lines().nth(error.line().checked_sub(1)?)?;
    // The column is that of the last byte read: a minus sign, or the first letter.
    let at = line.get(error.column().saturating_sub(2)..)?.trim_start_matches([' ', '[', ',', ':', '-']);
    ["NaN", "Infinity"].into_iter().find(|word| at.starts_with(word))
}

fn no_number_error(error: SceneError, what: &str) -> SceneError {
    match error {
        SceneError::Json { path, field, problem } => {
            let remedy = "leave out the images whose pose is not known";
            SceneError::Json {
                path,
                field,
                problem: format!("is {what}, not a number; {remedy} ({problem})"),
            }
        }
        other => other,
    }
}
