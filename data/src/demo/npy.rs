//! The `.npy` format (version 1.0), as far as it takes to hand exact f32 arrays to other programs.

use std::io::{self, Write};

/// Writes a C-ordered little-endian f32 array.
///
/// # Errors
/// Those of the writer; `InvalidInput` if `values` does not fill `shape`.
pub(super) fn write_f32(
    mut to: impl Write,
    shape: &[usize],
    values: impl ExactSizeIterator<Item = f32>,
) -> io::Result<()> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "npy: shape and number of values differ"));
    }
    let dims: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    // Magic (6), version (2), length (2), header and newline fill a multiple of 64 bytes.
    let pad = (64 - (10 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', pad));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(io::Error::other)?;
    to.write_all(b"\x93NUMPY\x01\x00")?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(header.as_bytes())?;
    for value in values {
        to.write_all(&value.to_le_bytes())?;
    }
    to.flush()
}
