//! Decoding an image and its mask.

use std::path::Path;

use ndarray::{Array2, Array3};

use super::mask::RawMask;
use super::{LabelError, LabelSet, Pair, mask};
use crate::image::{Image8, ImageError, ImageHeader, Turn};

/// An image and the class of each of its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// `[H, W, 3]`, RGB of 8 bits, rows from the top.
    pub image: Array3<u8>,
    /// `[H, W]`, class numbers, or [`IGNORE`](super::IGNORE).
    pub mask: Array2<u8>,
}

impl LabelSet {
    /// Decodes an image and its mask. An image that its EXIF tag says to rotate is rotated if the mask fits only then.
    ///
    /// # Errors
    /// If either cannot be read, they differ in size, or a pixel of the mask is neither a class nor ignored.
    pub fn load(&self, pair: &Pair) -> Result<Labelled, LabelError> {
        let raw = mask::read(&pair.mask)?;
        let turn = fitting_turn(pair, &raw)?;
        let mask = self.coding.decode(&raw, &pair.mask)?;
        let image = pixels(&pair.image, Image8::open_turned(&pair.image, turn)?)?;
        Ok(Labelled { image, mask })
    }

    /// Decodes the mask alone: `[H, W]`, class numbers, or [`IGNORE`](super::IGNORE).
    ///
    /// # Errors
    /// If it cannot be read, or a pixel is neither a class nor ignored.
    pub fn load_mask(&self, pair: &Pair) -> Result<Array2<u8>, LabelError> {
        self.coding.decode(&mask::read(&pair.mask)?, &pair.mask)
    }
}

/// Whether the mask is of the stored or of the upright image, by their sizes.
///
/// # Errors
/// [`LabelError::Size`] if it fits neither the stored image nor the upright one.
pub(super) fn fitting_turn(pair: &Pair, raw: &RawMask) -> Result<Turn, LabelError> {
    let header = ImageHeader::read(&pair.image)?;
    let mask_size = (raw.width, raw.height);
    let turn = header.turn_for(|width, height| (width, height) == mask_size);
    let turned = header.turned(turn);
    let image_size = (turned.width, turned.height);
    if image_size == mask_size {
        return Ok(turn);
    }
    Err(LabelError::Size { image: pair.image.clone(), mask: pair.mask.clone(), image_size, mask_size })
}

/// Decodes an image as `[H, W, 3]`, RGB of 8 bits, as stored; an alpha channel is dropped.
///
/// # Errors
/// As [`Image8::open`].
pub fn rgb(path: &Path) -> Result<Array3<u8>, ImageError> {
    pixels(path, Image8::open(path)?)
}

fn pixels(path: &Path, image: Image8) -> Result<Array3<u8>, ImageError> {
    let (width, height) = (image.width(), image.height());
    let data: Vec<u8> = match image.channels() {
        3 => image.data().to_vec(),
        _ => image.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    Array3::from_shape_vec((height as usize, width as usize, 3), data).map_err(|_| ImageError::Empty {
        path: path.to_owned(),
        width,
        height,
    })
}
