//! The colors of a mesh's faces as a picture.

use super::Atlas;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult};

/// A texture: where the faces lie, and the colors there.
#[derive(Clone, Debug, PartialEq)]
pub struct Texture {
    /// Where the faces lie.
    pub atlas: Atlas,
    /// sRGB, row by row from the top.
    pub pixels: Vec<[u8; 3]>,
}

impl Texture {
    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// If there are not as many pixels as the atlas has texels.
    pub fn png(&self) -> ImageResult<Vec<u8>> {
        let size = self.atlas.size as u32;
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(
            self.pixels.as_flattened(),
            size,
            size,
            ExtendedColorType::Rgb8,
        )?;
        Ok(png)
    }
}
