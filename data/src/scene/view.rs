//! A view with its pixels, and a view of an outline, whose pixels are not decoded yet.

use std::path::PathBuf;

use super::error::SceneError;
use super::lens_fields::same_shape;
use super::listing::{DepthFile, MaskFile};
use crate::camera::Camera;
use crate::image::{Clear, DepthMap, Image8, ImageHeader, Mask, Turn};

/// One posed image.
#[derive(Clone, Debug)]
pub struct View {
    /// The image's path as listed, without a leading `./`.
    pub name: String,
    /// The image's file.
    pub path: PathBuf,
    /// Its camera, at the resolution of `image`.
    pub camera: Camera,
    /// Its pixels.
    pub image: Image8,
    /// Which of them are used, at the resolution of `image`; `None` for all.
    pub mask: Option<Mask>,
    /// Depth along the optical axis in world units, at the resolution of `image`, if there is a depth map.
    pub depth: Option<DepthMap>,
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
    /// The header of the stored or upright image, as `turn` selects.
    pub header: ImageHeader,
    /// Whether the stored or the upright pixels are used.
    pub(crate) turn: Turn,
    /// Colors whose pixels are transparent; `header` has a channel for that.
    pub(crate) clear: Clear,
    /// A picture whose red is the alpha; `header` has a channel for that.
    pub(crate) alpha: Option<PathBuf>,
    /// The factor by which its sides are divided when it is loaded; `camera` is downscaled already.
    pub(crate) downscale: u32,
    /// The mask's file.
    pub(crate) mask: Option<MaskFile>,
    /// The depth map's file.
    pub(crate) depth: Option<DepthFile>,
}

impl OutlinedView {
    /// Decodes its image, mask and depth map and divides their sides by `downscale`.
    pub(super) fn load(self) -> Result<View, SceneError> {
        let n = self.downscale;
        let image = self.picture()?;
        let (width, height) = (image.width(), image.height());
        let image = image.downscale(n)?;
        let mask = self.load_mask()?.map(|mask| mask.downscale(n)).transpose()?;
        let depth = self.load_depth()?.map(|depth| depth.fit(width, height, n)).transpose()?;
        Ok(View { name: self.name, path: self.path, camera: self.camera, image, mask, depth })
    }

    /// Decodes its image, at full size.
    pub(crate) fn picture(&self) -> Result<Image8, SceneError> {
        let image = Image8::open_turned(&self.path, self.turn)?.cleared(self.clear);
        Ok(match &self.alpha {
            Some(path) => image.with_alpha(path, &self.path)?,
            None => image,
        })
    }

    /// Decodes its mask, at full size.
    ///
    /// # Errors
    /// As [`Mask::open`], and if its sides are in another proportion than the image's.
    pub(crate) fn load_mask(&self) -> Result<Option<Mask>, SceneError> {
        let Some(file) = &self.mask else { return Ok(None) };
        let mask = Mask::open_for(&file.path, &self.path, (self.header.width, self.header.height))?;
        Ok(Some(if file.inverted { mask.inverted() } else { mask }))
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

    /// Bytes in memory at that size, and the largest number while decoding.
    pub(super) fn bytes(&self, (width, height): (u32, u32)) -> (u64, u64) {
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
