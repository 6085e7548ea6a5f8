//! Reading image files: the header first, the pixels only if it is sound.
//!
//! # Which way is up
//!
//! A camera may store a picture rotated and record that in an EXIF tag. Poses and intrinsics come from programs
//! that read the *stored* pixels (COLMAP, Instant-NGP, Nerfstudio) or, rarely, the *upright* ones. So an image is read as
//! stored, unless the scene's files state a size that only the upright picture has ([`ImageHeader::turn_for`]).
//! Bare photos are read as stored too, by COLMAP and by this crate: however the camera was held, its intrinsics are the
//! same.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use ::image::codecs::{png::PngDecoder, webp::WebPDecoder};
pub use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::kind::FileKind;
use super::{Image8, ImageError, MAX_PIXELS, MAX_SIDE, jpeg, whole};
use crate::regular;

/// The size and channels in an image's header, read without decoding the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// Channels that [`Image8::open`] will keep: 3, or 4 with alpha.
    pub channels: u8,
    /// How a viewer rotates or mirrors the stored pixels before it shows them (the EXIF tag).
    pub orientation: Orientation,
}

/// Which pixels are used where the EXIF tag says that the stored ones are rotated or mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// As they are in the file.
    #[default]
    Stored,
    /// As they are shown.
    Upright,
}

impl ImageHeader {
    /// Reads and checks a header.
    ///
    /// # Errors
    /// If the file cannot be read, is not a PNG, JPEG or WebP, is of a kind that is not supported (CMYK, 12 bits,
    /// animated), or its header claims more pixels than are accepted or than a file of this length can hold.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let mut file = Opened::new(path)?;
        match file.kind {
            FileKind::Jpeg => file.jpeg(),
            kind => Ok(file.decoder(kind)?.0),
        }
    }

    /// Bytes of the decoded image, as kept in memory.
    pub fn bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.channels)
    }

    /// The header of the picture as a viewer shows it.
    #[must_use]
    pub(crate) fn upright(self) -> Self {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (width, height) = match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (self.height, self.width),
            _ => (self.width, self.height),
        };
        Self { width, height, orientation: Orientation::NoTransforms, ..self }
    }

    /// Which pixels a scene's files describe, where `fits(width, height)` tells whether a size agrees with the stated
    /// one: the upright pixels if only they fit, else the stored ones.
    pub(crate) fn turn_for(self, fits: impl Fn(u32, u32) -> bool) -> Turn {
        let upright = self.upright();
        let only_upright = !fits(self.width, self.height) && fits(upright.width, upright.height);
        if only_upright { Turn::Upright } else { Turn::Stored }
    }

    /// The header of the stored or the upright pixels. An orientation that remains was not applied.
    #[must_use]
    pub(crate) fn turned(self, turn: Turn) -> Self {
        match turn {
            Turn::Stored => self,
            Turn::Upright => self.upright(),
        }
    }
}

impl Image8 {
    /// Decodes a PNG, JPEG or WebP of any bit depth, as stored; gray becomes RGB, 16 bits are rounded to 8, alpha
    /// stays straight.
    ///
    /// # Errors
    /// As [`ImageHeader::read`], and if the file is damaged or ends early.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Self::open_turned(path, Turn::Stored)
    }

    /// The same, with the EXIF orientation applied if `turn` asks for the upright pixels.
    ///
    /// # Errors
    /// As [`Image8::open`].
    pub(crate) fn open_turned(path: &Path, turn: Turn) -> Result<Self, ImageError> {
        let (header, mut decoded) = dynamic(path)?;
        if turn == Turn::Upright {
            decoded.apply_orientation(header.orientation);
        }
        let (width, height) = (decoded.width(), decoded.height());
        let data = match header.channels {
            4 => decoded.into_rgba8().into_raw(),
            _ => decoded.into_rgb8().into_raw(),
        };
        Self::new(width, height, header.channels, data)
    }
}

/// The header and the pixels as stored, of any type: for images, masks and depth maps.
pub(super) fn dynamic(path: &Path) -> Result<(ImageHeader, DynamicImage), ImageError> {
    let file = Opened::new(path)?;
    let kind = file.kind;
    let (header, decoder) = file.decoder(kind)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(|e| decode_error(path, e))?;
    Ok((header, decoded))
}

/// What a file is, by its content.
pub(crate) fn kind(path: &Path) -> Result<FileKind, ImageError> {
    FileKind::of(path).map_err(|source| ImageError::Io { path: path.to_owned(), source })
}

/// An image file whose kind is known.
struct Opened<'a> {
    path: &'a Path,
    kind: FileKind,
    length: u64,
    reader: BufReader<File>,
}

impl<'a> Opened<'a> {
    fn new(path: &'a Path) -> Result<Self, ImageError> {
        let io = |source| ImageError::Io { path: path.to_owned(), source };
        let kind = kind(path)?;
        if !kind.is_read() {
            let (what, remedy) = kind.refusal_of(path);
            return Err(ImageError::Format { path: path.to_owned(), what, remedy });
        }
        let file = regular::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok(Self { path, kind, length, reader: BufReader::new(file) })
    }

    /// The header and a decoder of the pixels.
    fn decoder(mut self, kind: FileKind) -> Result<(ImageHeader, Box<dyn ImageDecoder>), ImageError> {
        let path = self.path;
        let decode = |e| decode_error(path, e);
        let limits = limits();
        let (mut decoder, bits): (Box<dyn ImageDecoder>, u64) = match kind {
            FileKind::Jpeg => {
                let header = self.jpeg()?;
                let mut bytes = Vec::new();
                self.reader
                    .rewind()
                    .and_then(|()| self.reader.read_to_end(&mut bytes))
                    .map_err(|e| self.io(e))?;
                if !jpeg::is_complete(&bytes) {
                    return Err(self.truncated());
                }
                let mut reader = ImageReader::with_format(std::io::Cursor::new(bytes), ImageFormat::Jpeg);
                reader.limits(limits);
                return Ok((header, Box::new(reader.into_decoder().map_err(decode)?)));
            }
            FileKind::WebP => {
                let whole = whole::webp(&mut self.reader, self.length).map_err(|e| self.io(e))?;
                self.reader.rewind().map_err(|e| self.io(e))?;
                if !whole {
                    return Err(self.truncated());
                }
                let decoder = WebPDecoder::new(self.reader).map_err(decode)?;
                if decoder.has_animation() {
                    return Err(animated(path));
                }
                // A block of one color takes no bits at all, so nothing follows from the file's length.
                (Box::new(decoder), 0)
            }
            _ => {
                let bits = png_bits(&mut self.reader).map_err(|e| self.io(e))?;
                let decoder = PngDecoder::with_limits(self.reader, limits.clone()).map_err(decode)?;
                if decoder.is_apng().map_err(decode)? {
                    return Err(animated(path));
                }
                (Box::new(decoder), bits)
            }
        };
        let (width, height) = decoder.dimensions();
        let channels = if decoder.color_type().has_alpha() { 4 } else { 3 };
        check_size(path, width, height)?;
        // Deflate shrinks at most 1032-fold.
        if u64::from(width) * u64::from(height) * bits / 8 > 1032 * self.length {
            return Err(ImageError::Truncated { path: path.to_owned(), length: self.length });
        }
        decoder.set_limits(limits).map_err(decode)?;
        let exif = decoder.exif_metadata().ok().flatten();
        let header = ImageHeader { width, height, channels, orientation: orientation(exif.as_deref()) };
        Ok((header, decoder))
    }

    /// A JPEG's header, from its markers alone.
    fn jpeg(&mut self) -> Result<ImageHeader, ImageError> {
        let path = self.path;
        let found = jpeg::header(&mut self.reader).map_err(|e| self.io(e))?;
        let Some(found) = found else { return Err(self.truncated()) };
        let (width, height) = (found.width, found.height);
        check_size(path, width, height)?;
        let refuse = |what, remedy| Err(ImageError::Format { path: path.to_owned(), what, remedy });
        match (found.components, found.precision) {
            (1 | 3, 8) => {}
            (4, _) => return refuse("a CMYK JPEG", "convert it to sRGB"),
            (1 | 3, _) => {
                return refuse("a JPEG of more than 8 bits", "convert it to 8 bits, or to a 16-bit PNG");
            }
            _ => return refuse("a JPEG with an unknown number of channels", "convert it to sRGB"),
        }
        // A block of 64 pixels takes a bit at the least.
        if u64::from(width) * u64::from(height) > 512 * self.length {
            return Err(self.truncated());
        }
        Ok(ImageHeader { width, height, channels: 3, orientation: orientation(found.exif.as_deref()) })
    }

    fn io(&self, source: std::io::Error) -> ImageError {
        ImageError::Io { path: self.path.to_owned(), source }
    }

    fn truncated(&self) -> ImageError {
        ImageError::Truncated { path: self.path.to_owned(), length: self.length }
    }
}

/// The stored bits of a pixel, by a PNG's header; 0 if there is none. The decoder's type is that of whole bytes.
fn png_bits(file: &mut (impl Read + Seek)) -> std::io::Result<u64> {
    let mut head = Vec::new();
    file.by_ref().take(26).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(match head[..] {
        [.., depth, color] if head.len() == 26 => {
            let channels = match color {
                2 => 3,
                4 => 2,
                6 => 4,
                _ => 1,
            };
            channels * u64::from(depth)
        }
        _ => 0,
    })
}

/// Refuses sizes without pixels, or with more than are accepted.
pub(crate) fn check_size(path: &Path, width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { path: path.to_owned(), width, height });
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { path: path.to_owned(), width, height });
    }
    Ok(())
}

/// Limit on what a decoder may allocate: that of 16-bit RGBA. Dimensions are checked before, with an error of our own.
fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(8 * MAX_PIXELS);
    limits
}

/// Some writers put the block's JPEG prefix before it elsewhere too.
fn orientation(exif: Option<&[u8]>) -> Orientation {
    let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

fn animated(path: &Path) -> ImageError {
    let (what, remedy) = ("an animation", "extract its frames to a folder and give that");
    ImageError::Format { path: path.to_owned(), what, remedy }
}

fn decode_error(path: &Path, source: ::image::ImageError) -> ImageError {
    match source {
        ::image::ImageError::IoError(source) => ImageError::Io { path: path.to_owned(), source },
        source => ImageError::Decode { path: path.to_owned(), source },
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
