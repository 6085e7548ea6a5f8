//! Recognizing kinds of picture and video files by their first bytes, whatever their names.

use std::io::{self, Read};
use std::path::Path;

use crate::regular;

/// The extensions of pictures that can be read.
pub(crate) const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Whether a name has the extension of a picture that can be read, in upper or lower case.
pub(crate) fn has_extension(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// What kind of picture or video a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// PNG, 1 to 16 bits a channel.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// A picture of a kind that cannot be read.
    OtherImage(&'static str),
    /// A video; its frames must be extracted first.
    Video(&'static str),
    /// A NumPy array, as depth maps are kept.
    NumPy,
    /// Anything else.
    Unknown,
}

/// How a pointer begins that Git LFS leaves in place of a file.
const LFS: &[u8] = b"version https://git-lfs";

/// How many bytes are enough to recognize all kinds.
const HEAD: usize = 16;

impl FileKind {
    /// Looks at a file's first bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD);
        regular::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Self::of_bytes(&head))
    }

    /// By a file's first 16 bytes.
    pub fn of_bytes(head: &[u8]) -> Self {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Self::Png,
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::NumPy,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Self::Video("AVI"),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Video("Matroska or WebM"),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Self::of_brand(brand),
            [b'G', b'I', b'F', b'8', ..] => Self::OtherImage("GIF"),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Self::OtherImage("TIFF or camera raw"),
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Self::OtherImage("BMP"),
            _ => Self::Unknown,
        }
    }

    /// By the brand of an ISO base media file, four letters.
    fn of_brand(brand: &[u8]) -> Self {
        match brand.get(..4) {
            Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1") => {
                Self::OtherImage("HEIC")
            }
            Some(b"avif" | b"avis") => Self::OtherImage("AVIF"),
            _ => Self::Video("MP4 or QuickTime"),
        }
    }

    /// Whether [`Image8::open`](super::Image8::open) reads it.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::WebP)
    }

    /// What a file that cannot be read is, and what to do about it.
    pub(super) fn refusal_of(self, path: &Path) -> (&'static str, &'static str) {
        let mut head = Vec::with_capacity(LFS.len());
        let read = regular::open(path).and_then(|file| file.take(LFS.len() as u64).read_to_end(&mut head));
        match read {
            Ok(0) => ("an empty file", "copy it again"),
            Ok(_) if head == LFS => (
                "a pointer of Git LFS instead of the file",
                "fetch the files: `git lfs pull` in the repository's folder",
            ),
            _ => self.refusal(),
        }
    }

    /// Name of a kind that cannot be read, and what to do about it.
    pub(super) fn refusal(self) -> (&'static str, &'static str) {
        match self {
            Self::OtherImage("HEIC") => (
                "a HEIC picture",
                "convert it to JPEG, as `heif-convert IN OUT.jpg` of Debian's libheif-examples does, or set the \
                 phone to take JPEGs",
            ),
            Self::OtherImage("AVIF") => ("an AVIF picture", "convert it to PNG or JPEG"),
            Self::OtherImage("GIF") => ("a GIF", "convert it to PNG or JPEG"),
            Self::OtherImage("BMP") => ("a BMP picture", "convert it to PNG or JPEG"),
            Self::OtherImage(_) => ("a TIFF or camera raw picture", "develop or convert it to PNG or JPEG"),
            Self::Video(_) => {
                ("a video", "extract its frames, as `ffmpeg -i IN -vf fps=2 FRAMES/%04d.jpg` does")
            }
            _ => ("not a PNG, JPEG or WebP image", "convert it to one of them"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_their_first_bytes() {
        for (head, kind) in [
            (&b"\x89PNG\r\n\x1a\n"[..], FileKind::Png),
            (b"\xff\xd8\xff\xe0", FileKind::Jpeg),
            (b"RIFF\0\0\0\0WEBPVP8 ", FileKind::WebP),
            (b"RIFF\0\0\0\0AVI LIST", FileKind::Video("AVI")),
            (b"\0\0\0\x18ftypheic", FileKind::OtherImage("HEIC")),
            (b"\0\0\0\x18ftypavif", FileKind::OtherImage("AVIF")),
            (b"\0\0\0\x18ftypisom", FileKind::Video("MP4 or QuickTime")),
            (b"\0\0\0\x18ftypqt", FileKind::Video("MP4 or QuickTime")),
            (b"GIF89a", FileKind::OtherImage("GIF")),
            (b"MM\0\x2a", FileKind::OtherImage("TIFF or camera raw")),
            (b"BMxxxx\0\0\0\0", FileKind::OtherImage("BMP")),
            (b"BM, a text", FileKind::Unknown),
            (b"\xff\xd8", FileKind::Unknown),
            (b"\x93NUMPY\x01", FileKind::NumPy),
            (b"", FileKind::Unknown),
        ] {
            assert_eq!(FileKind::of_bytes(head), kind, "{head:?}");
            assert_eq!(kind.is_read(), matches!(kind, FileKind::Png | FileKind::Jpeg | FileKind::WebP));
        }
    }
}
