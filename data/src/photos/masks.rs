//! Masks beside the photos, for COLMAP: it finds no features where they are black, so that moving objects do not
//! influence the poses.

use std::path::{Path, PathBuf};

use image::GrayImage;
use rayon::prelude::*;

use super::work::remove;
use super::{Photos, PhotosError};
use crate::image::Mask;
use crate::scene::mask_beside;

/// The folder in the work folder that COLMAP is given.
const FOLDER: &str = "feature_masks";

/// The masks in a work folder, if there are any.
pub(super) fn given(work: &Path) -> Option<PathBuf> {
    Some(work.join(FOLDER)).filter(|folder| folder.is_dir())
}

/// The folder of the photos' masks, if all have the names that COLMAP expects.
pub(super) fn named_for_colmap(photos: &Photos) -> Option<PathBuf> {
    let masks = photos.masks()?;
    let named = photos.files.iter().filter(|photo| masks.join(format!("{}.png", photo.name)).is_file());
    let named = named.count();
    (named > 0 && named == photos.masked()).then_some(masks)
}

/// Writes the photos' masks, of any kind of picture and name, in the form that COLMAP expects: gray PNGs, black or white,
/// `NAME.png` for the photo `NAME`. Returns for how many photos there is one.
pub(super) fn write(photos: &Photos, work: &Path) -> Result<usize, PhotosError> {
    let folder = work.join(FOLDER);
    remove(&folder)?;
    let Some(masks) = photos.masks() else { return Ok(0) };
    let wanted: Vec<_> =
        photos.files.iter().filter_map(|photo| Some((photo, mask_beside(&masks, &photo.name)?))).collect();
    if !wanted.is_empty() {
        std::fs::create_dir_all(&folder)
            .map_err(|source| PhotosError::Io { path: folder.clone(), source })?;
    }
    wanted.par_iter().try_for_each(|(photo, path)| {
        let size = (photo.header.width, photo.header.height);
        let mask = Mask::open_for(path, &photos.folder.join(&photo.name), size)?;
        let grey =
            GrayImage::from_fn(size.0, size.1, |x, y| [if mask.counts(x, y) { 255 } else { 0 }].into());
        let to = folder.join(format!("{}.png", photo.name));
        grey.save(&to).map_err(|e| PhotosError::Io { path: to, source: std::io::Error::other(e) })
    })?;
    Ok(wanted.len())
}
