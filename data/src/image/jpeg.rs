//! A JPEG's markers (ITU-T T.81, annex B): its header, read without the rest of the file, and whether the file is
//! complete. The decoder is lenient: it silently fills the missing part of a truncated file with gray.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// What the markers before the first scan contain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct JpegHeader {
    pub width: u32,
    pub height: u32,
    /// Bits per sample.
    pub precision: u8,
    /// 1 is gray, 3 color, 4 CMYK or YCCK.
    pub components: u8,
    /// The EXIF block, a TIFF structure.
    pub exif: Option<Vec<u8>>,
}

/// Start of image, end of image, start of scan.
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP1: u8 = 0xe1;
const EXIF: &[u8] = b"Exif\0\0";

/// Reads markers up to the frame's; `None` where they end or make no sense before that.
pub(super) fn header(mut file: impl Read + Seek) -> io::Result<Option<JpegHeader>> {
    let walked = walk(&mut file);
    match walked {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

fn walk(file: &mut (impl Read + Seek)) -> io::Result<Option<JpegHeader>> {
    let mut header = JpegHeader::default();
    let mut soi = [0; 2];
    file.read_exact(&mut soi)?;
    if soi != [0xff, SOI] {
        return Ok(None);
    }
    loop {
        let Some(marker) = next_marker(file)? else { return Ok(None) };
        if matches!(marker, 0x01 | 0xd0..=0xd7) {
            continue; // these have no length
        }
        if matches!(marker, EOI | SOS) {
            return Ok(None);
        }
        let length = u16::from_be_bytes(bytes(file)?);
        let Some(length) = length.checked_sub(2) else { return Ok(None) };
        match marker {
            // Frames: baseline, extended, progressive, lossless and so on; not DHT, JPG, DAC.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [precision, h1, h0, w1, w0, components] = bytes(file)?;
                header.precision = precision;
                header.height = u16::from_be_bytes([h1, h0]).into();
                header.width = u16::from_be_bytes([w1, w0]).into();
                header.components = components;
                return Ok(Some(header));
            }
            APP1 => {
                let mut data = vec![0; length.into()];
                file.read_exact(&mut data)?;
                if let Some(exif) = data.strip_prefix(EXIF) {
                    header.exif.get_or_insert_with(|| exif.to_vec());
                }
            }
            _ => {
                file.seek(SeekFrom::Current(length.into()))?;
            }
        }
    }
}

/// The next marker's code, after any fill bytes; `None` where there is something else.
fn next_marker(file: &mut impl Read) -> io::Result<Option<u8>> {
    let [first] = bytes(file)?;
    if first != 0xff {
        return Ok(None);
    }
    loop {
        let [code] = bytes(file)?;
        if code != 0xff {
            return Ok(Some(code));
        }
    }
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Whether the image's own end marker is there; one inside a thumbnail's segment does not count, and what
/// cameras append behind it does not matter.
pub(super) fn is_complete(file: &[u8]) -> bool {
    let mut at = 2;
    let mut scanned = false;
    while let Some(&[first, code]) = file.get(at..at + 2) {
        match (first, code) {
            (0xff, EOI) => return scanned,
            // Entropy-coded data, stuffed zeros, restart markers, and fill bytes.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd7) => at += 2,
            (0xff, 0xff) => at += 1,
            (0xff, code) => {
                scanned |= code == SOS;
                let Some(&[high, low]) = file.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
            _ if !scanned => return false,
            _ => at += file[at..].iter().position(|&b| b == 0xff).unwrap_or(file.len() - at),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};
    use proptest::prelude::*;

    use super::*;

    fn encoded(exif: Option<Vec<u8>>) -> Vec<u8> {
        let pixels: Vec<u8> = (0..24 * 16 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 90);
        if let Some(exif) = exif {
            encoder.set_exif_metadata(exif).unwrap();
        }
        encoder.write_image(&pixels, 24, 16, ExtendedColorType::Rgb8).unwrap();
        file
    }

    #[test]
    fn markers_of_a_real_file() {
        // An EXIF block that holds an end marker, as a thumbnail does.
        let exif = b"MM\0\x2a\0\0\0\x08\xff\xd8\xff\xd9".to_vec();
        let file = encoded(Some(exif.clone()));
        let header = header(Cursor::new(&file)).unwrap().unwrap();
        let wanted = JpegHeader { width: 24, height: 16, precision: 8, components: 3, exif: Some(exif) };
        assert_eq!(header, wanted);
        assert!(is_complete(&file));
        assert!(is_complete(&[&file[..], b"a camera's trailer"].concat()));
        for length in 0..file.len() - 1 {
            assert!(!is_complete(&file[..length]), "cut to {length} of {}", file.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_answer(
            tail in prop::collection::vec(any::<u8>(), 0..300), flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..5),
        ) {
            let mut file = encoded(None);
            for (at, value) in flips {
                let length = file.len();
                file[at % length] = value;
            }
            let random = [&[0xff, 0xd8][..], &tail].concat();
            for bytes in [&file[..], &random, &tail] {
                let _ = header(Cursor::new(bytes)).unwrap();
                is_complete(bytes);
            }
        }
    }
}
