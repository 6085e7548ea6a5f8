//! Reading a mask's file: the stored numbers, palette indices or colors, not decoded to classes yet.
//!
//! A palette's indices are kept: they are the labels, its colors only show them.

use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::LabelError;
use crate::image::{FileKind, ImageError, check_size, kind_of};

/// A mask as stored, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawMask {
    pub width: u32,
    pub height: u32,
    pub pixels: MaskPixels,
}

/// One entry per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MaskPixels {
    /// Gray values of 1 to 16 bits, as stored.
    Grey(Vec<u16>),
    /// Indices into a palette.
    Indexed(Vec<u16>, Vec<[u8; 3]>),
    /// Colors.
    Colors(Vec<[u8; 3]>),
}

/// The pixels of a mask, after the header was checked.
pub(crate) fn read(path: &Path) -> Result<RawMask, LabelError> {
    let mask = |what: &str, remedy| LabelError::Mask { path: path.to_owned(), what: what.to_owned(), remedy };
    match kind_of(path)? {
        FileKind::Png => {}
        FileKind::Jpeg => {
            return Err(mask(
                "a JPEG, whose compression changes labels",
                "save masks as PNG, from the source",
            ));
        }
        FileKind::WebP => return Err(mask("a WebP image", "save masks as PNG")),
        _ => return Err(mask("not a PNG", "save masks as PNG")),
    }
    let io = |source| LabelError::Io { path: path.to_owned(), source };
    let damaged = |source| LabelError::Damaged { path: path.to_owned(), source };
    let file = crate::regular::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let info = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (info.width, info.height);
    check_size(path, width, height)?;
    // Deflate shrinks at most 1032-fold.
    if u64::from(width) * u64::from(height) * info.bits_per_pixel() as u64 / 8 > 1032 * length {
        return Err(ImageError::Truncated { path: path.to_owned(), length }.into());
    }
    let mut reader = decoder.read_info().map_err(damaged)?;
    if reader.info().animation_control.is_some() {
        return Err(mask("an animation", "save masks as single PNGs"));
    }
    let palette = reader.info().palette.as_deref().unwrap_or_default();
    let palette: Vec<[u8; 3]> = palette.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
    let size = reader.output_buffer_size().ok_or_else(|| ImageError::TooLarge {
        path: path.to_owned(),
        width,
        height,
    })?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(damaged)?;
    let rows = bytes.chunks_exact(frame.line_size);
    let pixels = match (frame.color_type, frame.bit_depth) {
        (ColorType::Grayscale, depth) => MaskPixels::Grey(values(rows, depth, 1, width as usize)),
        (ColorType::GrayscaleAlpha, depth) => MaskPixels::Grey(values(rows, depth, 2, width as usize)),
        (ColorType::Indexed, depth) => MaskPixels::Indexed(values(rows, depth, 1, width as usize), palette),
        (_, BitDepth::Sixteen) => {
            return Err(mask("colors of 16 bits", "save masks with 8 bits a channel, or as gray"));
        }
        (color, _) => {
            let channels = if color == ColorType::Rgba { 4 } else { 3 };
            MaskPixels::Colors(bytes.chunks_exact(channels).map(|c| [c[0], c[1], c[2]]).collect())
        }
    };
    Ok(RawMask { width, height, pixels })
}

/// The first of `channels` values a pixel.
fn values<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    depth: BitDepth,
    channels: usize,
    width: usize,
) -> Vec<u16> {
    let mut values = Vec::new();
    for row in rows {
        match depth {
            BitDepth::Sixteen => {
                values
                    .extend(row.chunks_exact(2).step_by(channels).map(|v| u16::from_be_bytes([v[0], v[1]])));
            }
            BitDepth::Eight => values.extend(row.iter().step_by(channels).map(|&v| u16::from(v))),
            // Several pixels a byte, the first in the highest bits; a row ends with unused bits.
            _ => {
                let bits = depth as u8 as usize;
                let value = |x: usize| {
                    let shift = 8 - bits - x * bits % 8;
                    u16::from(row[x * bits / 8] >> shift) & ((1 << bits) - 1)
                };
                values.extend((0..width).map(value));
            }
        }
    }
    values
}

impl RawMask {
    /// How many pixels hold the number 0, and how many of them have one of four neighbors that does not.
    pub fn zeros_on_edges(&self) -> (u64, u64) {
        let (MaskPixels::Grey(values) | MaskPixels::Indexed(values, _)) = &self.pixels else { return (0, 0) };
        let rows: Vec<&[u16]> = values.chunks_exact(self.width as usize).collect();
        let (mut zeros, mut edges) = (0, 0);
        for (y, row) in rows.iter().enumerate() {
            let above = if y > 0 { rows[y - 1] } else { row };
            let below = rows.get(y + 1).unwrap_or(row);
            for (x, _) in row.iter().enumerate().filter(|(_, value)| **value == 0) {
                zeros += 1;
                let left = row[x.saturating_sub(1)];
                let right = row.get(x + 1).copied().unwrap_or(0);
                edges += u64::from(left | right | above[x] | below[x] != 0);
            }
        }
        (zeros, edges)
    }
}
