//! A scene without its pixels: everything that the files and the images' headers say.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nalgebra::Isometry3;
use rayon::prelude::*;
use serde::Serialize;

use super::detect::{Detected, SceneFormat, detect};
use super::files::{self, Files, FoundFrame};
use super::lens_fields::{FieldProblem, LensFields, ResolvedLens, same_shape};
use super::order::natural;
use super::placement::Placement;
use super::splits::{Split, Splits, holdout, keeps};
use super::transforms::field_error;
use super::{LoadOptions, Scene, SceneError, ScenePoint, View, blender, colmap, llff, ngp, placement};
use crate::camera::{Camera, Intrinsics, Lens};
use crate::image::{DepthMap, Image8, ImageHeader, Mask, Turn};

/// What a format's reader hands over: frames as listed, nothing checked against the images yet.
#[derive(Debug)]
pub(super) struct Listing {
    pub source: PathBuf,
    pub format: SceneFormat,
    /// `None`: it is to be found from cameras and points.
    pub placement: Option<Placement>,
    pub frames: Vec<ListedFrame>,
    /// Their views are places in `frames`.
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
    /// The mask's file, if one is listed.
    pub mask: Option<PathBuf>,
    /// The depth map's file, if one is listed.
    pub depth: Option<DepthFile>,
    /// Nearest and farthest depth along the optical axis in world units, if the file says.
    pub bounds: Option<[f64; 2]>,
    /// What the files say it is for; given for all frames of a scene or for none.
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
    fn resolve(&self, width: u32, height: u32) -> Result<ResolvedLens, FieldProblem> {
        match self {
            Self::Fields(fields) => fields.resolve(width, height),
            Self::Known(intrinsics) => ResolvedLens::fit(intrinsics, width, height),
        }
    }

    /// Whether an image of this size can be what is described, or a resampled version of it.
    fn fits(&self, width: u32, height: u32) -> bool {
        match self {
            Self::Fields(fields) => fields.fits(width, height),
            Self::Known(k) => same_shape((k.width, k.height), (width, height)),
        }
    }
}

/// What loading a scene takes, in bytes, estimated from the images' headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// All images, masks and depth maps, decoded and downscaled, as they stay in memory.
    pub images: u64,
    /// On top of it while decoding: one at full size for each thread of the rayon pool.
    pub decoding: u64,
}

impl MemoryEstimate {
    /// The peak.
    pub fn total(&self) -> u64 {
        self.images + self.decoding
    }
}

/// A depth map's file.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthFile {
    /// A grey PNG or a NumPy array.
    pub path: PathBuf,
    /// World units of a stored 1 (Nerfstudio's `depth_unit_scale_factor`).
    pub unit: f64,
}

/// A view without its pixels.
#[derive(Clone, Debug)]
pub struct OutlinedView {
    /// The image's path as listed, without a leading `./`.
    pub name: String,
    /// The image's file.
    pub path: PathBuf,
    /// Its camera, at the downscaled resolution.
    pub camera: Camera,
    /// The image as it is on disk, turned as `turn` says.
    pub header: ImageHeader,
    /// Which of its pixels the files mean, where EXIF tells to turn them.
    pub turn: Turn,
    /// The mask's file.
    pub mask: Option<PathBuf>,
    /// The depth map's file.
    pub depth: Option<DepthFile>,
}

impl OutlinedView {
    /// Decodes its image, mask and depth map and divides their sides by `downscale`.
    pub(super) fn load(self, downscale: u32) -> Result<View, SceneError> {
        let image = Image8::open_turned(&self.path, self.turn)?;
        let (width, height) = (image.width(), image.height());
        let image = image.downscale(downscale)?;
        let mask = self.load_mask()?.map(|mask| mask.downscale(downscale)).transpose()?;
        let depth = self.load_depth()?.map(|depth| depth.fit(width, height, downscale)).transpose()?;
        Ok(View { name: self.name, path: self.path, camera: self.camera, image, mask, depth })
    }

    /// Decodes its mask, at full size.
    ///
    /// # Errors
    /// As [`Mask::open`], and if it has another size than the image.
    pub(crate) fn load_mask(&self) -> Result<Option<Mask>, SceneError> {
        let Some(path) = &self.mask else { return Ok(None) };
        Ok(Some(Mask::open_for(path, &self.path, (self.header.width, self.header.height))?))
    }

    /// Decodes its depth map, as it is.
    ///
    /// # Errors
    /// As [`DepthMap::open`], and if its sides are in another proportion than the image's.
    pub(crate) fn load_depth(&self) -> Result<Option<DepthMap>, SceneError> {
        let Some(file) = &self.depth else { return Ok(None) };
        let depth = DepthMap::open(&file.path, file.unit)?;
        let (found, size) = ((depth.width(), depth.height()), (self.header.width, self.header.height));
        if !same_shape(size, found) {
            let (path, image) = (file.path.clone(), self.path.clone());
            return Err(SceneError::DepthSize { path, found, image, size });
        }
        Ok(Some(depth))
    }

    /// Bytes as it stays in memory at that size, and at most while it is decoded.
    fn bytes(&self, (width, height): (u32, u32)) -> (u64, u64) {
        let small = ImageHeader { width, height, ..self.header };
        let (mut kept, mut decoding) = (small.bytes(), self.header.bytes());
        if self.mask.is_some() {
            kept += Mask::bytes(&small).1;
            decoding = decoding.max(Mask::bytes(&self.header).0);
        }
        if self.depth.is_some() {
            kept += DepthMap::bytes(&small).1;
            decoding = decoding.max(DepthMap::bytes(&self.header).0);
        }
        (kept, decoding)
    }
}

/// A [`Scene`] without its pixels.
pub type Outline = Scene<OutlinedView>;

impl Outline {
    /// What loading it would take, on the current rayon pool.
    pub fn memory(&self) -> MemoryEstimate {
        self.memory_with(|view| (view.camera.intrinsics.width, view.camera.intrinsics.height))
    }

    /// The same with the images' sides divided by `downscale` instead of what was asked for.
    pub fn memory_at(&self, downscale: u32) -> MemoryEstimate {
        let n = downscale.max(1);
        self.memory_with(|view| (view.header.width / n, view.header.height / n))
    }

    fn memory_with(&self, size: impl Fn(&OutlinedView) -> (u32, u32)) -> MemoryEstimate {
        let bytes = || self.views.iter().map(|view| view.bytes(size(view)));
        let largest = bytes().map(|(_, decoding)| decoding).max().unwrap_or(0);
        let at_once = rayon::current_num_threads().min(self.views.len()) as u64;
        MemoryEstimate { images: bytes().map(|(kept, _)| kept).sum(), decoding: at_once * largest }
    }
}

/// Reads everything about a scene but its pixels.
///
/// # Errors
/// As [`load`](super::load), apart from damaged pixels and the memory limit.
pub fn outline(path: &Path, options: &LoadOptions) -> Result<Outline, SceneError> {
    let listing = match detect(path)? {
        Detected::Blender(folder) => blender::read(&folder)?,
        Detected::Transforms(file) => ngp::read(&file)?,
        Detected::Colmap(folder) => model_or_llff(&folder)?,
        Detected::Llff(file) => llff::read(&file)?,
    };
    let Listing { source, format, placement, frames, mut points, mut warnings } = listing;
    // Before any view is left out, so that the unit frame depends on nothing but the scene.
    let placement = placement.unwrap_or_else(|| placement::find(&frames, &points));
    let Files { mut found, missing, said } = files::find(&source, frames)?;
    warnings.extend(said);
    assign_splits(&mut found, options);
    renumber(&mut points, &found);
    let checked =
        found.par_iter().map(|found| check(found, options)).collect::<Result<Vec<_>, SceneError>>()?;

    let rescaled = checked.iter().filter(|c| c.rescaled).count();
    // LLFF always states the full size.
    if rescaled > 0 && format != SceneFormat::Llff {
        warnings.push(format!(
            "{rescaled} images have another size than w and h say; their intrinsics were scaled to fit"
        ));
    }
    let folded = checked.iter().filter(|c| c.folded).count();
    if folded > 0 {
        warnings.push(format!(
            "{folded} images have corners that their distortion model cannot reach; rays there are approximate"
        ));
    }
    let without_depth =
        found.iter().filter(|f| f.frame.depth.as_ref().is_some_and(|d| !d.path.is_file())).count();
    if without_depth > 0 {
        warnings.push(format!("{without_depth} listed depth maps do not exist; these images go without"));
    }
    warnings.extend(files::masks_without_images(&source, format, &found));
    let splits = Splits::from_views(found.iter().map(|f| f.split));
    let views: Vec<_> = checked.into_iter().map(|c| c.view).collect();
    Ok(Outline {
        name: scene_name(&source),
        views,
        splits,
        aabb_scale: placement.aabb_scale,
        frame: placement.frame,
        near: placement.near,
        points,
        source,
        format,
        missing,
        warnings,
    })
}

/// A COLMAP model, or the LLFF file beside it where none of the model's images is left: only smaller ones under other
/// names, as LLFF's scenes have them.
fn model_or_llff(folder: &Path) -> Result<Listing, SceneError> {
    let model = colmap::read(folder)?;
    let file = folder.join(llff::FILE);
    let absent = || model.frames.iter().all(|frame| files::existing(&frame.image).is_none());
    if file.is_file() && absent() { llff::read(&file) } else { Ok(model) }
}

/// A frame whose image exists.
/// Holds out views where the files do not say, then keeps the allowed number of each split.
fn assign_splits(found: &mut Vec<FoundFrame>, options: &LoadOptions) {
    if found.iter().any(|f| f.frame.split.is_none()) {
        found.sort_by(|a, b| natural(plain_name(&a.frame.name), plain_name(&b.frame.name)));
        let count = found.len();
        for (i, f) in found.iter_mut().enumerate() {
            f.split = holdout(i, options.holdout_every, count);
        }
    }
    if let Some(limit) = options.max_images {
        let count = |split| found.iter().filter(|f| f.split == split).count();
        let counts = Split::ALL.map(count);
        let mut seen = [0; 3];
        found.retain(|f| {
            let split = f.split as usize;
            seen[split] += 1;
            keeps(seen[split] - 1, counts[split], limit.max(1))
        });
    }
}

/// Turns places in the list of frames into places among the views; views that were left out see nothing.
fn renumber(points: &mut [ScenePoint], found: &[FoundFrame]) {
    let views: HashMap<u32, u32> = found.iter().zip(0..).map(|(found, view)| (found.listed, view)).collect();
    for point in points {
        point.views = point.views.iter().filter_map(|listed| views.get(listed).copied()).collect();
        point.views.sort_unstable();
    }
}

struct Checked {
    view: OutlinedView,
    rescaled: bool,
    /// Some corner lies beyond what the lens can be inverted for.
    folded: bool,
}

/// Fits one frame's lens to its image.
fn check(found: &FoundFrame, options: &LoadOptions) -> Result<Checked, SceneError> {
    let FoundFrame { frame, path, .. } = found;
    let header = ImageHeader::read(path)?;
    let turn = header.turn_for(|width, height| frame.lens.fits(width, height));
    let header = header.turned(turn);
    if let Some(mask) = frame.mask.as_ref().filter(|mask| !mask.is_file()) {
        let field = format!("{}.mask_path", frame.place);
        let problem = format!("{} does not exist; put it there or remove the field", mask.display());
        return Err(field_error(&frame.listed_in, &field, &problem));
    }
    let resolved = frame.lens.resolve(header.width, header.height).map_err(|(field, problem)| {
        let field = match frame.lens {
            ListedLens::Fields(_) => format!("{} or the file: {field}", frame.place),
            ListedLens::Known(_) => frame.place.clone(),
        };
        field_error(&frame.listed_in, &field, &format!("{problem} (image {})", path.display()))
    })?;
    let intrinsics = resolved
        .intrinsics
        .downscale(options.downscale)
        .map_err(|e| field_error(&frame.listed_in, &frame.place, &format!("{e} ({})", path.display())))?;
    let lens = Lens::new(intrinsics.distortion);
    let (w, h) = (f64::from(intrinsics.width), f64::from(intrinsics.height));
    let folded = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)]
        .iter()
        .any(|&(px, py)| lens.undistort(intrinsics.normalised(px, py)).is_none());
    let view = OutlinedView {
        name: plain_name(&frame.name).to_owned(),
        path: path.clone(),
        camera: Camera { intrinsics, pose: frame.pose },
        header,
        turn,
        mask: frame.mask.clone(),
        depth: frame.depth.clone().filter(|file| file.path.is_file()),
    };
    Ok(Checked { view, rescaled: resolved.rescaled, folded })
}

/// A listed path without its leading `./`.
pub(super) fn plain_name(listed: &str) -> &str {
    listed.strip_prefix("./").unwrap_or(listed)
}

fn scene_name(source: &Path) -> String {
    let folder = if source.is_dir() { Some(source) } else { source.parent() };
    // The parent of a bare file name is the empty path, which means the current folder.
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = folder.canonicalize().ok();
    let name = absolute.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "scene".to_owned(), |name| name.to_string_lossy().into_owned())
}
