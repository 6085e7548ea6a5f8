//! Reading image files: the header first, the pixels only if it is sound.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Image8, ImageError, MAX_PIXELS, MAX_SIDE};

/// What an image's header says, without decoding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Channels that [`Image8::open`] will keep: 3, or 4 with alpha.
    pub channels: u8,
}

impl ImageHeader {
    /// Reads and checks a PNG's or JPEG's header. An EXIF orientation is not applied: poses and intrinsics refer
    /// to the pixels as stored.
    ///
    /// # Errors
    /// If the file cannot be read, is no PNG or JPEG, or announces more pixels than are accepted.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        open(path).map(|(header, _)| header)
    }

    /// Bytes of the decoded image, as kept in memory.
    pub fn bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.channels)
    }
}

impl Image8 {
    /// Decodes a PNG or JPEG of any bit depth; grey becomes RGB, 16 bits are rounded to 8, alpha stays straight.
    ///
    /// # Errors
    /// As [`ImageHeader::read`], and if the file is damaged.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let (header, decoder) = open(path)?;
        let decoded = decoded(path, decoder)?;
        let data = match header.channels {
            4 => decoded.into_rgba8().into_raw(),
            _ => decoded.into_rgb8().into_raw(),
        };
        Self::new(header.width, header.height, header.channels, data)
    }
}

/// The pixels as they are stored, whatever they are: for masks and depths.
pub(super) fn dynamic(path: &Path) -> Result<DynamicImage, ImageError> {
    let (_, decoder) = open(path)?;
    decoded(path, decoder)
}

fn decoded(path: &Path, decoder: impl ImageDecoder) -> Result<DynamicImage, ImageError> {
    DynamicImage::from_decoder(decoder).map_err(|source| ImageError::Decode { path: path.to_owned(), source })
}

/// Whether the file starts with these bytes.
pub(super) fn starts_with(path: &Path, magic: &[u8]) -> Result<bool, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let mut start = Vec::with_capacity(magic.len());
    File::open(path).map_err(io)?.take(magic.len() as u64).read_to_end(&mut start).map_err(io)?;
    Ok(start == magic)
}

/// Whether the file is a JPEG, whose values are not exact.
pub(super) fn is_jpeg(path: &Path) -> Result<bool, ImageError> {
    starts_with(path, &[0xff, 0xd8, 0xff])
}

/// Opens a file as PNG or JPEG, by its content, and checks the header's dimensions.
fn open(path: &Path) -> Result<(ImageHeader, impl ImageDecoder + use<>), ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let decode = |source| match source {
        ::image::ImageError::IoError(source) => ImageError::Io { path: path.to_owned(), source },
        source => ImageError::Decode { path: path.to_owned(), source },
    };
    let file = BufReader::new(File::open(path).map_err(io)?);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(io)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(ImageError::Format { path: path.to_owned() });
    }
    // Dimensions are checked below, with an error of our own; this bounds what a decoder allocates besides
    // (16-bit RGBA being the largest).
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(8 * MAX_PIXELS);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(decode)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { path: path.to_owned(), width, height });
    }
    let channels = if decoder.color_type().has_alpha() { 4 } else { 3 };
    Ok((ImageHeader { width, height, channels }, decoder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;

    fn saved(image: DynamicImage, name: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        image.save(&path).unwrap();
        (folder, path)
    }

    /// A PNG that is only a signature and an IHDR chunk.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 6, 0, 0, 0]);
        let mut crc = u32::MAX;
        for &byte in &chunk {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        png.extend(chunk);
        png.extend((!crc).to_be_bytes());
        png.extend([0, 0, 0, 0]);
        png.extend(b"IDAT\x35\xaf\x06\x1e");
        png
    }

    #[test]
    fn keeps_straight_alpha() {
        let (_keep, path) =
            saved(::image::RgbaImage::from_raw(1, 1, vec![200, 100, 50, 3]).unwrap().into(), "a.png");
        let image = Image8::open(&path).unwrap();
        assert_eq!((image.channels(), image.pixel(0, 0)), (4, [200, 100, 50, 3]));
    }

    #[test]
    fn grey_and_sixteen_bits_become_rgb8() {
        let (_keep, path) = saved(::image::GrayImage::from_raw(2, 1, vec![7, 250]).unwrap().into(), "a.png");
        let image = Image8::open(&path).unwrap();
        assert_eq!(image.data(), [7, 7, 7, 250, 250, 250]);
        assert_eq!(image.pixel(1, 0), [250, 250, 250, 255]);

        let deep =
            ::image::ImageBuffer::<::image::Rgb<u16>, _>::from_raw(1, 1, vec![0, 32768, 65535]).unwrap();
        let (_keep, path) = saved(deep.into(), "b.png");
        assert_eq!(Image8::open(&path).unwrap().data(), [0, 128, 255]);
    }

    #[test]
    fn content_decides_not_the_name() {
        let grey = ::image::RgbImage::from_pixel(8, 8, ::image::Rgb([90; 3]));
        let (_keep, path) = saved(grey.into(), "a.jpg");
        let renamed = path.with_extension("png");
        std::fs::rename(&path, &renamed).unwrap();
        assert_eq!(ImageHeader::read(&renamed).unwrap(), ImageHeader { width: 8, height: 8, channels: 3 });
        assert!(Image8::open(&renamed).unwrap().data().iter().all(|c| c.abs_diff(90) < 3));
    }

    #[test]
    fn bad_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = Image8::open(&path).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            error
        };
        assert!(matches!(message("text.png", b"not an image"), ImageError::Format { .. }));
        assert!(matches!(message("empty.png", b""), ImageError::Format { .. }));
        assert!(matches!(message("zero.png", &png_header(0, 9)), ImageError::Decode { .. }));
        assert!(matches!(
            message("cut.png", &png_header(4, 4)),
            ImageError::Decode { .. } | ImageError::Io { .. }
        ));
        for (width, height) in [(1 << 17, 1), (1 << 15, 1 << 14)] {
            let error = message("huge.png", &png_header(width, height));
            assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
        }
        let absent = Image8::open(&folder.path().join("absent.png")).unwrap_err();
        assert!(matches!(absent, ImageError::Io { .. }) && absent.to_string().contains("absent.png"));
    }
}
