//! Whether an image file is complete, without decoding it: truncated copies are found early.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use super::kind::FileKind;
use super::{ImageError, jpeg};
use crate::regular;

/// A PNG's signature.
const SIGNATURE: i64 = 8;

/// Refuses a truncated PNG, JPEG or WebP; other damage is found by decoding.
///
/// # Errors
/// If it was, or cannot be read.
pub(crate) fn check_whole(path: &Path) -> Result<(), ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let kind = FileKind::of(path).map_err(io)?;
    let file = regular::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::new(file);
    let whole = match kind {
        FileKind::Jpeg => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| jpeg::is_complete(&bytes))
        }
        FileKind::WebP => webp(&mut reader, length),
        FileKind::Png => png(&mut reader),
        _ => Ok(true),
    };
    if whole.map_err(io)? { Ok(()) } else { Err(ImageError::Truncated { path: path.to_owned(), length }) }
}

/// Whether a WebP is as long as its RIFF header says.
pub(super) fn webp(file: &mut impl Read, length: u64) -> io::Result<bool> {
    let mut riff = [0; 8];
    file.read_exact(&mut riff)?;
    let stated = u32::from_le_bytes([riff[4], riff[5], riff[6], riff[7]]);
    Ok(u64::from(stated) + 8 <= length)
}

/// Whether a PNG's chunks go on to the last, IEND; what is behind it does not matter.
fn png<R: Read + io::Seek>(file: &mut BufReader<R>) -> io::Result<bool> {
    let mut walk = || {
        file.seek_relative(SIGNATURE)?;
        loop {
            let mut chunk = [0; 8];
            file.read_exact(&mut chunk)?;
            let [l3, l2, l1, l0, kind @ ..] = chunk;
            if &kind == b"IEND" {
                // Its check sum.
                return file.read_exact(&mut [0; 4]);
            }
            file.seek_relative(i64::from(u32::from_be_bytes([l3, l2, l1, l0])) + 4)?;
        }
    };
    match walk() {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ::image::RgbImage;

    use super::*;

    #[test]
    fn a_file_cut_anywhere_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let pixels = RgbImage::from_fn(20, 12, |x, y| [(x * 37 % 19 * 13) as u8, (y * 20) as u8, 9].into());
        for name in ["a.png", "a.jpg", "a.webp"] {
            let path = folder.path().join(name);
            pixels.save(&path).unwrap();
            let file = std::fs::read(&path).unwrap();
            check_whole(&path).unwrap();
            std::fs::write(&path, [&file[..], b"a trailer"].concat()).unwrap();
            check_whole(&path).unwrap();
            for length in 16..file.len() {
                std::fs::write(&path, &file[..length]).unwrap();
                let error = check_whole(&path).unwrap_err().to_string();
                for part in [name, "truncated", "copy it again, or remove it"] {
                    assert!(error.contains(part), "{part} in {error}, cut to {length} of {}", file.len());
                }
            }
        }
        assert!(matches!(check_whole(&folder.path().join("absent.jpg")), Err(ImageError::Io { .. })));
    }
}
