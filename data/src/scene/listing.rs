//! A listing, the common result of all readers of formats: frames with lenses and splits, points and the placement, as
//! the files state them. Nothing in it has been checked against the images yet.

use std::fmt;
use std::path::PathBuf;

use nalgebra::{Isometry3, Similarity3, Translation3, UnitQuaternion};
use serde::Serialize;

use super::lens_fields::{FieldProblem, LensFields, ResolvedLens, same_shape};
use super::points::ScenePoint;
use super::splits::Split;
use crate::camera::Intrinsics;
use crate::image::Clear;

/// How a scene is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SceneFormat {
    /// NeRF's synthetic scenes: `transforms_{train,val,test}.json`.
    Blender,
    /// Instant-NGP: one `transforms.json`.
    InstantNgp,
    /// Nerfstudio: one `transforms.json`, without Instant-NGP's placement.
    Nerfstudio,
    /// A COLMAP model, binary or text.
    Colmap,
    /// LLFF: `poses_bounds.npy`.
    Llff,
}

impl fmt::Display for SceneFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blender => "Blender (transforms_{train,val,test}.json)",
            Self::InstantNgp => "Instant-NGP (transforms.json)",
            Self::Nerfstudio => "Nerfstudio (transforms.json)",
            Self::Colmap => "COLMAP (cameras, images, points3D)",
            Self::Llff => "LLFF (poses_bounds.npy)",
        })
    }
}

/// The result of a format's reader: frames as listed, not checked against the images yet.
#[derive(Debug)]
pub(super) struct Listing {
    pub source: PathBuf,
    pub format: SceneFormat,
    /// `None` if it is to be computed from cameras and points.
    pub placement: Option<Placement>,
    pub frames: Vec<ListedFrame>,
    /// Their views are indices into `frames`.
    pub points: Vec<ScenePoint>,
    pub warnings: Vec<String>,
}

/// One frame as listed.
#[derive(Debug)]
pub(super) struct ListedFrame {
    pub name: String,
    /// The image's path, perhaps without its extension.
    pub image: PathBuf,
    pub pose: Isometry3<f64>,
    pub lens: ListedLens,
    /// The mask's file, if there is one.
    pub mask: Option<MaskFile>,
    /// The depth map's file, if one is listed.
    pub depth: Option<DepthFile>,
    /// Colors whose pixels are transparent.
    pub clear: Clear,
    /// Nearest and farthest depth along the optical axis in world units, if the file has them.
    pub bounds: Option<[f64; 2]>,
    /// Its split by the files; given for all frames of a scene or for none.
    pub split: Option<Split>,
    /// The file and the place in it, for errors.
    pub listed_in: PathBuf,
    pub place: String,
}

/// A lens as listed.
#[derive(Debug)]
pub(super) enum ListedLens {
    /// In the fields of a JSON file, which may leave some out.
    Fields(Box<LensFields>),
    /// For an image of the stated size.
    Known(Intrinsics),
}

impl ListedLens {
    /// The intrinsics for an image of this size, or the field that is wrong.
    pub fn resolve(&self, width: u32, height: u32) -> Result<ResolvedLens, FieldProblem> {
        match self {
            Self::Fields(fields) => fields.resolve(width, height),
            Self::Known(intrinsics) => ResolvedLens::fit(intrinsics, width, height),
        }
    }

    /// Whether an image of this size can be what is described, or a resampled version of it.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        match self {
            Self::Fields(fields) => fields.fits(width, height),
            Self::Known(k) => same_shape((k.width, k.height), (width, height)),
        }
    }
}

/// A mask's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaskFile {
    /// A picture.
    pub path: PathBuf,
    /// Whether what is not black is left out, as in Instant-NGP's dynamic masks, rather than what is.
    pub inverted: bool,
}

impl MaskFile {
    /// The usual kind: what is black is left out.
    pub fn new(path: PathBuf) -> Self {
        Self { path, inverted: false }
    }
}

/// A depth map's file.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthFile {
    /// A gray PNG or a NumPy array.
    pub path: PathBuf,
    /// World units of a stored 1 (Nerfstudio's `depth_unit_scale_factor`).
    pub unit: f64,
}

/// The placement of the world in the unit frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placement {
    /// Side of the render box, a power of two.
    pub aabb_scale: u32,
    /// World to unit frame.
    pub frame: Similarity3<f64>,
    /// Near plane, in unit-frame lengths, if known.
    pub near: Option<f64>,
}

impl Default for Placement {
    /// Instant-NGP's, for files that state none.
    fn default() -> Self {
        Self::stated(1, Self::SCALE, Self::OFFSET)
    }
}

impl Placement {
    /// Instant-NGP's scale.
    pub const SCALE: f64 = 0.33;
    /// Instant-NGP's offset.
    pub const OFFSET: [f64; 3] = [0.5; 3];

    /// `unit = world * scale + offset`.
    pub fn stated(aabb_scale: u32, scale: f64, offset: [f64; 3]) -> Self {
        let frame = Similarity3::from_parts(Translation3::from(offset), UnitQuaternion::identity(), scale);
        Self { aabb_scale, frame, near: None }
    }
}

/// A listed path without its leading `./`.
pub(super) fn plain_name(listed: &str) -> &str {
    listed.strip_prefix("./").unwrap_or(listed)
}
