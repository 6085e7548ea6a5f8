//! A view with its pixels, and a view of an outline, whose pixels are not decoded yet.

use std::path::PathBuf;

use super::MaskUse;
use super::bad_photo::BadPhoto;
use super::error::SceneError;
use super::lens_fields::same_shape;
use super::listing::{DepthFile, MaskFile};
use crate::camera::Camera;
use crate::image::{Clear, DepthMap, Image8, ImageError, ImageHeader, Mask, Turn};

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
    /// What the mask means; where it is transparency, `header` has a channel for that.
    pub(crate) masks: MaskUse,
    /// The depth map's file.
    pub(crate) depth: Option<DepthFile>,
}

impl OutlinedView {
    /// Whether something beside its image says what of it is transparent or does not count.
    pub(crate) fn is_seen_through(&self) -> bool {
        self.mask.is_some() || self.alpha.is_some() || self.clear != Clear::default()
    }

    /// Decodes its image, mask and depth map and divides their sides by `downscale`.
    ///
    /// # Errors
    /// If what is beside the image cannot be used; the image itself may be a bad photo.
    pub(super) fn load(self) -> Result<Result<View, BadPhoto>, SceneError> {
        let n = self.downscale;
        let image = match self.open() {
            Ok(image) => self.seen_through(image)?,
            Err(error) => return Ok(Err(BadPhoto::new(&self.path, &error))),
        };
        let (width, height) = (image.width(), image.height());
        let (image, mask) = match (self.load_mask()?, self.masks) {
            (Some(mask), MaskUse::Empty) => (image.emptied(&mask).downscale(n)?, None),
            (mask, _) => (image.downscale(n)?, mask.map(|mask| mask.downscale(n)).transpose()?),
        };
        let depth = self.load_depth()?.map(|depth| depth.fit(width, height, n)).transpose()?;
        let depth = depth.map(|depth| depth.of_what_is_seen(&image));
        Ok(Ok(View { name: self.name, path: self.path, camera: self.camera, image, mask, depth }))
    }

    /// Decodes its image, at full size.
    pub(crate) fn picture(&self) -> Result<Image8, SceneError> {
        self.seen_through(self.open()?)
    }

    fn open(&self) -> Result<Image8, ImageError> {
        Ok(Image8::open_turned(&self.path, self.turn)?.cleared(self.clear))
    }

    /// With the transparency that another file says.
    fn seen_through(&self, image: Image8) -> Result<Image8, SceneError> {
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
            kept += if self.masks == MaskUse::Ignore { Mask::bytes(&small).1 } else { 0 };
            decoding = decoding.max(Mask::bytes(&self.header).0);
        }
        if self.depth.is_some() {
            kept += DepthMap::bytes(&small).1;
            decoding = decoding.max(DepthMap::bytes(&self.header).0);
        }
        (kept, decoding)
    }
}
