#![allow(clippy::unwrap_used)]

mod bad;
mod decoding;
mod formats;
mod real;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::write::{PixelFormat, write_png};

/// A folder that is filled file by file.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn text(&self, name: &str, text: &str) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    /// An RGB image of 3x2 pixels whose first value is `mark`.
    fn image(&self, name: &str, mark: u8) -> &Self {
        let mut data = [7; 18];
        data[0] = mark;
        write_png(&self.path(name), 3, 2, PixelFormat::Rgb, &data).unwrap();
        self
    }

    /// A gray mask of 3x2 pixels.
    fn mask(&self, name: &str, ids: [u8; 6]) -> &Self {
        write_png(&self.path(name), 3, 2, PixelFormat::Gray, &ids).unwrap();
        self
    }

    /// A color mask of 3x2 pixels.
    fn colors(&self, name: &str, colors: [[u8; 3]; 6]) -> &Self {
        write_png(&self.path(name), 3, 2, PixelFormat::Rgb, colors.as_flattened()).unwrap();
        self
    }
}

/// Writes a PNG of a kind that `image` does not write: a palette, or few bits.
fn png_of(
    path: &Path,
    (width, height): (u32, u32),
    color: png::ColorType,
    depth: png::BitDepth,
    palette: &[u8],
    rows: &[u8],
) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(rows).unwrap();
}
