//! Writing images and Blender layouts. Every file appears whole or not at all.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use nalgebra::Isometry3;
use serde::Serialize;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file cannot be written.
    #[error("{}: cannot be written; check that the folder exists, is writable and has room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The pixel data does not fit the dimensions.
    #[error("{}: {width}x{height} {pixels:?} pixels need {needed} bytes, {given} were given", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What a pixel is.
        pixels: PixelFormat,
        /// Bytes that these dimensions take.
        needed: u64,
        /// Bytes that were given.
        given: usize,
    },
    /// The picture cannot be encoded.
    #[error("{}: cannot be encoded", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ::image::ImageError,
    },
    /// The JSON could not be made.
    #[error("{}: cannot be encoded as JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}

/// The type of pixels given to [`write_png`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// One byte.
    Gray,
    /// Two bytes, in the machine's byte order.
    Gray16,
    /// Three bytes.
    Rgb,
    /// Four bytes, straight alpha.
    Rgba,
}

impl PixelFormat {
    fn color_type(self) -> ExtendedColorType {
        match self {
            Self::Gray => ExtendedColorType::L8,
            Self::Gray16 => ExtendedColorType::L16,
            Self::Rgb => ExtendedColorType::Rgb8,
            Self::Rgba => ExtendedColorType::Rgba8,
        }
    }

    /// Bytes that one pixel takes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Gray => 1,
            Self::Gray16 => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// Writes a PNG, rows from the top, atomically.
///
/// # Errors
/// If the data does not fit the dimensions or the file cannot be written.
pub fn write_png(
    path: &Path,
    width: u32,
    height: u32,
    pixels: PixelFormat,
    data: &[u8],
) -> Result<(), WriteError> {
    let needed = u64::from(width) * u64::from(height) * pixels.bytes();
    if needed == 0 || needed != data.len() as u64 {
        let given = data.len();
        return Err(WriteError::Size { path: path.to_owned(), width, height, pixels, needed, given });
    }
    let mut png = Cursor::new(Vec::new());
    PngEncoder::new(&mut png)
        .write_image(data, width, height, pixels.color_type())
        .map_err(|source| WriteError::Encode { path: path.to_owned(), source })?;
    write_atomically(path, png.get_ref())
}

/// Writes numbers as NumPy's array file (`.npy`, version 1.0, little-endian f32, rows first), atomically.
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If the shape has another number of values.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), WriteError> {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "values of this shape");
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take 10 bytes; the values begin at a multiple of 64.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header = format!("{header:<width$}\n", width = padded - 1);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    write_atomically(path, &bytes)
}

/// Writes a file beside its place and renames it, so that a reader never sees half of it.
///
/// # Errors
/// If the folder does not exist, is not writable or is full; what was there before stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    // Unique among threads by the counter and among processes by the id.
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{unique}.tmp"));
    let temporary = path.with_file_name(name);
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        WriteError::Io { path: path.to_owned(), source }
    })
}

#[derive(Serialize)]
struct BlenderFile<'a> {
    camera_angle_x: f64,
    frames: Vec<BlenderFrame<'a>>,
}

#[derive(Serialize)]
struct BlenderFrame<'a> {
    file_path: &'a str,
    transform_matrix: [[f64; 4]; 4],
}

/// Writes one split of a Blender layout, `transforms_{split}.json`.
///
/// `camera_angle_x` is the horizontal angle of view in radians; each frame is an image path relative to the file,
/// without its extension (`./train/r_0`), and a camera-to-world pose.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_blender_transforms(
    path: &Path,
    camera_angle_x: f64,
    frames: &[(String, Isometry3<f64>)],
) -> Result<(), WriteError> {
    let frames = frames.iter().map(|(file_path, pose)| {
        let m = pose.to_homogeneous();
        let transform_matrix = std::array::from_fn(|r| std::array::from_fn(|c| m[(r, c)]));
        BlenderFrame { file_path, transform_matrix }
    });
    let file = BlenderFile { camera_angle_x, frames: frames.collect() };
    let mut json = serde_json::to_vec_pretty(&file)
        .map_err(|source| WriteError::Json { path: path.to_owned(), source })?;
    json.push(b'\n');
    write_atomically(path, &json)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Image8;

    #[test]
    fn png_round_trip_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let rgba: Vec<u8> = (0..24).map(|i| i * 10).collect();
        write_png(&path, 3, 2, PixelFormat::Rgba, &rgba).unwrap();
        assert_eq!(Image8::open(&path).unwrap().data(), rgba);
        write_png(&path, 2, 4, PixelFormat::Rgb, &rgba).unwrap();
        assert_eq!(Image8::open(&path).unwrap().data(), rgba);
        write_png(&path, 6, 4, PixelFormat::Gray, &rgba).unwrap();
        assert_eq!(Image8::open(&path).unwrap().pixel(5, 3), [230, 230, 230, 255]);
        let deep: Vec<u8> = [257u16 * 7, 257 * 200].iter().flat_map(|v| v.to_ne_bytes()).collect();
        write_png(&path, 2, 1, PixelFormat::Gray16, &deep).unwrap();
        assert_eq!(Image8::open(&path).unwrap().pixel(1, 0), [200, 200, 200, 255]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let short =
            write_png(&folder.path().join("short.png"), 3, 2, PixelFormat::Rgb, &[0; 17]).unwrap_err();
        assert!(short.to_string().contains("short.png") && short.to_string().contains("18"));
        assert!(write_png(&folder.path().join("zero.png"), 0, 2, PixelFormat::Rgb, &[]).is_err());
        let nowhere = write_atomically(&folder.path().join("no/such.json"), b"{}").unwrap_err();
        assert!(nowhere.to_string().contains("such.json"));
        // A folder in the way: the rename fails and the temporary file goes.
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(write_atomically(&folder.path().join("taken"), b"{}").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
