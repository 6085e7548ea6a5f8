//! COLMAP's sparse models, binary and text: `cameras`, `images` and `points3D` in one folder. What newer versions put
//! beside them (`rigs`, `frames`) is not needed.
//!
//! The formats: <https://colmap.github.io/format.html>. COLMAP's pixels are counted as this crate's are, from the
//! image's corner; its poses are world-to-camera with `y` down and `z` forward.

mod binary;
pub(crate) mod cameras;
mod find;
mod flaw;
mod images;
mod points;
mod text;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use self::flaw::Flaw;

use self::cameras::ModelCamera;
pub(crate) use self::find::mask_beside;
pub(super) use self::find::models;
use self::images::ModelImage;
use self::points::ModelPoint;
use super::error::SceneError;
use super::listing::{ListedFrame, ListedLens, Listing, MaskFile, SceneFormat};
use super::points::ScenePoint;
use crate::image::Clear;
use crate::problem::first_few;
use crate::regular;

/// One model, read.
struct ColmapModel {
    /// The file with the poses of the images.
    images_file: PathBuf,
    cameras_file: PathBuf,
    cameras: Vec<ModelCamera>,
    images: Vec<ModelImage>,
    points: Vec<ModelPoint>,
}

/// Lists the images of the largest model in or below a folder.
pub(super) fn read(path: &Path) -> Result<Listing, SceneError> {
    let (folder, mut warnings) = find::largest(path)?;
    let mut model = ColmapModel::read(&folder)?;
    warnings.extend(model.leave_out_unplaced());
    if model.images.is_empty() {
        return Err(Flaw::new("the number of images", EMPTY).in_file(&model.images_file));
    }
    model.numbers_are_unique()?;
    let photos = find::photos(&folder, &model.images);
    let lenses = model.lenses()?;
    let mut elsewhere = Vec::new();
    let frame = |image: &ModelImage| {
        let place = format!("image {}", image.id);
        let lens = lenses.get(&image.camera).ok_or_else(|| {
            let file = model.cameras_file.file_name().unwrap_or_default().to_string_lossy();
            let problem = format!("was taken by camera {}, which {file} does not have", image.camera);
            Flaw::new(place.clone(), problem).in_file(&model.images_file)
        })?;
        let found = find::place_of(&photos.folder, &image.name);
        if found.as_ref().is_some_and(|found| *found != image.name) {
            elsewhere.push(image.name.clone());
        }
        let listed = found
            .as_deref()
            .or_else(|| find::inside(&image.name))
            .ok_or_else(|| Flaw::new(place.clone(), outside(&image.name)).in_file(&model.images_file))?;
        Ok(ListedFrame {
            image: photos.folder.join(listed),
            name: image.name.clone(),
            pose: image.pose,
            lens: ListedLens::Known(*lens),
            mask: photos.mask(listed).map(MaskFile::new),
            depth: None,
            clear: Clear::default(),
            bounds: None,
            split: None,
            listed_in: model.images_file.clone(),
            place,
        })
    };
    let frames = model.images.iter().map(frame).collect::<Result<Vec<_>, SceneError>>()?;
    if let Some(first) = elsewhere.first() {
        warnings.push(format!(
            "{} images have paths of another machine, such as {first}; they were found in {}",
            elsewhere.len(),
            photos.folder.display()
        ));
    }
    Ok(Listing {
        source: photos.root,
        format: SceneFormat::Colmap,
        placement: None,
        points: scene_points(&model),
        frames,
        warnings,
    })
}

const EMPTY: &str =
    "is 0: COLMAP could not place a single image; use --downscale 1, more photos, or more overlap";

const TWICE: &str = "occurs twice; let COLMAP write the model again, as `colmap model_converter` does";

fn outside(name: &str) -> String {
    format!(
        "its name {name:?} leads out of the image folder; run COLMAP again with the images' common folder as image_path"
    )
}

impl ColmapModel {
    fn read(folder: &Path) -> Result<Self, SceneError> {
        // If a file is missing, the error must name that file.
        let there = |end: &str| {
            ["cameras", "images"].iter().filter(|stem| folder.join(format!("{stem}.{end}")).is_file()).count()
        };
        let binary = there("bin") >= there("txt");
        let file = |stem: &str| folder.join(format!("{stem}.{}", if binary { "bin" } else { "txt" }));
        let (cameras_file, images_file, points_file) = (file("cameras"), file("images"), file("points3D"));
        let (cameras, images, points) = if binary {
            (
                parsed(&cameras_file, cameras::from_binary)?,
                parsed(&images_file, images::from_binary)?,
                points_file.is_file().then(|| parsed(&points_file, points::from_binary)),
            )
        } else {
            (
                parsed(&cameras_file, cameras::from_text)?,
                parsed(&images_file, images::from_text)?,
                points_file.is_file().then(|| parsed(&points_file, points::from_text)),
            )
        };
        Ok(Self {
            images_file,
            cameras_file,
            cameras,
            images,
            points: points.transpose()?.unwrap_or_default(),
        })
    }

    /// Removes images whose pose is not a number, as RealityScan writes those that it could not place, and names them.
    fn leave_out_unplaced(&mut self) -> Option<String> {
        let (placed, unplaced): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.images).into_iter().partition(ModelImage::is_placed);
        self.images = placed;
        let names: Vec<String> = unplaced.into_iter().map(|image| image.name).collect();
        (!names.is_empty()).then(|| {
            let file = self.images_file.display();
            format!("{file}: {} images have no pose and are left out: {}", names.len(), first_few(&names))
        })
    }

    /// Refuses ids that occur twice: a lens or pose would be confused with another.
    fn numbers_are_unique(&self) -> Result<(), SceneError> {
        let twice = |file: &Path, what: &str, ids: Vec<u32>| {
            let mut seen = HashSet::new();
            match ids.into_iter().find(|id| !seen.insert(*id)) {
                Some(id) => Err(Flaw::new(format!("{what} {id}"), TWICE).in_file(file)),
                None => Ok(()),
            }
        };
        twice(&self.cameras_file, "camera", self.cameras.iter().map(|camera| camera.id).collect())?;
        twice(&self.images_file, "image", self.images.iter().map(|image| image.id).collect())
    }

    /// The intrinsics of the cameras that images use; unused cameras may be of any model.
    fn lenses(&self) -> Result<HashMap<u32, crate::camera::Intrinsics>, SceneError> {
        let used: HashSet<u32> = self.images.iter().map(|image| image.camera).collect();
        let used = self.cameras.iter().filter(|camera| used.contains(&camera.id));
        used.map(|camera| Ok((camera.id, camera.intrinsics()?)))
            .collect::<Result<_, Flaw>>()
            .map_err(|flaw| flaw.in_file(&self.cameras_file))
    }
}

/// The points, with images as indices into the list of frames.
fn scene_points(model: &ColmapModel) -> Vec<ScenePoint> {
    let order: HashMap<u32, u32> = model.images.iter().zip(0..).map(|(image, i)| (image.id, i)).collect();
    let point = |point: &ModelPoint| {
        let mut views: Vec<u32> = point.images.iter().filter_map(|id| order.get(id).copied()).collect();
        views.sort_unstable();
        ScenePoint { position: point.position, color: point.color, error: point.error as f32, views }
    };
    model.points.iter().map(point).collect()
}

fn parsed<T>(path: &Path, parse: fn(&[u8]) -> Result<T, Flaw>) -> Result<T, SceneError> {
    let bytes = regular::read(path).map_err(|source| SceneError::Io { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|flaw| flaw.in_file(path))
}

#[cfg(test)]
mod tests;
