#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::webp::WebPEncoder;
use ::image::{ExtendedColorType, ImageEncoder, RgbImage, RgbaImage};

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

    let deep = ::image::ImageBuffer::<::image::Rgb<u16>, _>::from_raw(1, 1, vec![0, 32768, 65535]).unwrap();
    let (_keep, path) = saved(deep.into(), "b.png");
    assert_eq!(Image8::open(&path).unwrap().data(), [0, 128, 255]);
}

#[test]
fn content_decides_not_the_name() {
    let grey = ::image::RgbImage::from_pixel(8, 8, ::image::Rgb([90; 3]));
    let (_keep, path) = saved(grey.into(), "a.jpg");
    let renamed = path.with_extension("png");
    std::fs::rename(&path, &renamed).unwrap();
    let wanted = ImageHeader { width: 8, height: 8, channels: 3, orientation: Orientation::NoTransforms };
    assert_eq!(ImageHeader::read(&renamed).unwrap(), wanted);
    assert!(Image8::open(&renamed).unwrap().data().iter().all(|c| c.abs_diff(90) < 3));
}

#[test]
fn webp_with_and_without_alpha() {
    let (_keep, path) =
        saved(RgbaImage::from_raw(2, 1, vec![200, 100, 50, 3, 1, 2, 3, 0]).unwrap().into(), "a.webp");
    let image = Image8::open(&path).unwrap();
    assert_eq!((image.pixel(0, 0), image.pixel(1, 0)), ([200, 100, 50, 3], [1, 2, 3, 0]));
    let (_keep, path) = saved(RgbImage::from_raw(1, 1, vec![9, 8, 7]).unwrap().into(), "a.webp");
    let header = ImageHeader::read(&path).unwrap();
    assert_eq!((header.channels, Image8::open(&path).unwrap().data()), (3, &[9, 8, 7][..]));
}

/// An EXIF block with nothing but an orientation, of either byte order.
fn exif(orientation: u8, big: bool) -> Vec<u8> {
    if big {
        [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat()
    } else {
        [&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation], &[0; 7]].concat()
    }
}

/// Where the upright picture's pixel `(x, y)` is stored, by the definition of the tag: it names the stored picture's
/// first row and first column as sides of the upright one.
fn stored_at(orientation: u8, (x, y): (u32, u32), (w, h): (u32, u32)) -> (u32, u32) {
    match orientation {
        1 => (x, y),                 // row 0 is the top, column 0 the left side
        2 => (w - 1 - x, y),         // top, right
        3 => (w - 1 - x, h - 1 - y), // bottom, right
        4 => (x, h - 1 - y),         // bottom, left
        5 => (y, x),                 // left, top
        6 => (y, h - 1 - x),         // right, top
        7 => (w - 1 - y, h - 1 - x), // right, bottom
        _ => (w - 1 - y, x),         // left, bottom
    }
}

#[test]
fn all_orientations_in_all_formats() {
    let folder = tempfile::tempdir().unwrap();
    let (w, h) = (5, 3);
    let pixels: Vec<u8> = (0..w * h).flat_map(|i| [(i * 16) as u8, 255 - (i * 16) as u8, 90]).collect();
    for orientation in 1..=8u8 {
        for (name, big) in [("a.png", true), ("a.webp", false), ("b.webp", true)] {
            let path = folder.path().join(name);
            let mut block = exif(orientation, big);
            if name == "b.webp" {
                block.splice(0..0, *b"Exif\0\0");
            }
            let mut file = Vec::new();
            if name == "a.png" {
                let mut encoder = ::image::codecs::png::PngEncoder::new(&mut file);
                encoder.set_exif_metadata(block).unwrap();
                encoder.write_image(&pixels, w, h, ExtendedColorType::Rgb8).unwrap();
            } else {
                let mut encoder = WebPEncoder::new_lossless(&mut file);
                encoder.set_exif_metadata(block).unwrap();
                encoder.write_image(&pixels, w, h, ExtendedColorType::Rgb8).unwrap();
            }
            std::fs::write(&path, file).unwrap();
            let header = ImageHeader::read(&path).unwrap();
            assert_eq!(header.orientation.to_exif(), orientation, "{name}");
            let stored = Image8::open(&path).unwrap();
            assert_eq!((stored.width(), stored.height(), stored.data()), (w, h, &pixels[..]));
            let upright = Image8::open_turned(&path, Turn::Upright).unwrap();
            let size = if orientation > 4 { (h, w) } else { (w, h) };
            assert_eq!((upright.width(), upright.height()), size);
            assert_eq!((header.upright().width, header.upright().height), size);
            for (x, y) in (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y))) {
                let (sx, sy) = stored_at(orientation, (x, y), (w, h));
                assert_eq!(upright.pixel(x, y), stored.pixel(sx, sy), "{name} {orientation} ({x}, {y})");
            }
        }
    }
}

#[test]
fn a_jpeg_says_how_it_was_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    for orientation in 1..=8 {
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(orientation, orientation % 2 == 0)).unwrap();
        encoder.write_image(&[70; 16 * 8], 16, 8, ExtendedColorType::L8).unwrap();
        std::fs::write(&path, file).unwrap();
        let header = ImageHeader::read(&path).unwrap();
        assert_eq!((header.width, header.height, header.orientation.to_exif()), (16, 8, orientation));
        let upright = Image8::open_turned(&path, Turn::Upright).unwrap();
        assert_eq!((upright.width(), upright.height()), if orientation > 4 { (8, 16) } else { (16, 8) });
    }
}

#[test]
fn the_stated_size_decides_which_pixels_are_meant() {
    let header = |orientation| ImageHeader { width: 40, height: 30, channels: 3, orientation };
    let stated = |w, h| move |width, height| (width, height) == (w, h);
    let side = header(Orientation::Rotate90);
    assert_eq!(side.turn_for(stated(40, 30)), Turn::Stored);
    assert_eq!(side.turn_for(stated(30, 40)), Turn::Upright);
    assert_eq!(
        side.turn_for(stated(99, 99)),
        Turn::Stored,
        "neither: the error is about the file's own size"
    );
    assert_eq!(side.turn_for(|_, _| true), Turn::Stored, "nothing stated");
    assert_eq!(header(Orientation::Rotate180).turn_for(stated(40, 30)), Turn::Stored);
    assert_eq!(header(Orientation::NoTransforms).turn_for(stated(30, 40)), Turn::Stored);
    let turned = side.turned(Turn::Upright);
    assert_eq!((turned.width, turned.height), (30, 40));
    assert_eq!(side.turned(Turn::Stored).width, 40);
}

/// An encoded picture that does not compress well.
fn noisy(name: &str) -> Vec<u8> {
    let pixels: Vec<u8> = (0..32 * 32 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (_keep, path) = saved(RgbImage::from_raw(32, 32, pixels).unwrap().into(), name);
    std::fs::read(path).unwrap()
}

#[test]
fn truncated_files_are_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.jpg", "a.webp"] {
        let whole = noisy(name);
        let path = folder.path().join(name);
        std::fs::write(&path, &whole).unwrap();
        assert!(Image8::open(&path).is_ok(), "{name}");
        // A PNG's last chunk, 12 bytes, holds nothing that is needed.
        for part in [20, 200, whole.len() / 2, whole.len() - 14] {
            std::fs::write(&path, &whole[..part]).unwrap();
            let error = Image8::open(&path).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn varieties_that_are_not_read_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (header, image) = (ImageHeader::read(&path).unwrap_err(), Image8::open(&path).unwrap_err());
        assert_eq!(header.to_string(), image.to_string());
        assert!(header.to_string().contains(name));
        header.to_string()
    };
    let jpeg = noisy("a.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let edited = |at: usize, value: u8| {
        let mut file = jpeg.clone();
        file[frame + at] = value;
        file
    };
    assert!(refused("cmyk.jpg", &edited(9, 4)).contains("CMYK"));
    assert!(refused("deep.jpg", &edited(4, 12)).contains("more than 8 bits"));
    let mut flat = edited(5, 0);
    flat[frame + 6] = 0;
    assert!(refused("flat.jpg", &flat).contains("32x0"));
    assert!(refused("huge.jpg", &edited(5, 0xff)).contains("truncated"), "65312 rows in so short a file");

    // VP8X with the animation flag, and an ANIM chunk.
    let mut webp = b"RIFF\x54\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x07\0\0\x07\0\0ANIM\x06\0\0\0".to_vec();
    webp.extend([0; 6]);
    webp.extend([&b"ANMF\x28\0\0\0"[..], &[0; 16], b"VP8L\x08\0\0\0", &[0; 8], b"none\0\0\0\0"].concat());
    assert!(refused("moving.webp", &webp).contains("an animation"));
    assert!(refused("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0").contains("heif-convert"));
    assert!(refused("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0").contains("ffmpeg"));
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
    assert!(matches!(
        message("zero.png", &png_header(0, 9)),
        ImageError::Decode { .. } | ImageError::Empty { .. }
    ));
    assert!(matches!(
        message("cut.png", &png_header(4, 4)),
        ImageError::Decode { .. } | ImageError::Io { .. } | ImageError::Truncated { .. }
    ));
    for (width, height) in [(1 << 17, 1), (1 << 15, 1 << 14)] {
        let error = message("huge.png", &png_header(width, height));
        assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
    }
    // Within the limits, but no file of 41 bytes holds so much.
    let lying = message("lying.png", &png_header(60_000, 4_000));
    assert!(matches!(lying, ImageError::Truncated { .. }), "{lying}");
    let absent = Image8::open(&folder.path().join("absent.png")).unwrap_err();
    assert!(matches!(absent, ImageError::Io { .. }) && absent.to_string().contains("absent.png"));
}

#[test]
fn a_black_and_white_png_of_one_bit_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let (width, height) = (512u32, 512u32);
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    // 512 rows of 65 zeros, as zlib writes them: a zero, its repetition, the check sum.
    let ends: ([u8; 17], [u8; 6]) =
        ([120, 218, 237, 193, 1, 1, 0, 0, 0, 130, 32, 255, 175, 110, 72, 64, 1], [124, 27, 130, 0, 0, 1]);
    let data = [&ends.0[..], &[0; 31], &ends.1].concat();
    let file =
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &data), chunk(b"IEND", &[])]
            .concat();
    assert!(
        u64::from(width * height) > 1032 * file.len() as u64,
        "a byte a pixel would not fit: {}",
        file.len()
    );
    std::fs::write(&path, file).unwrap();
    let header = ImageHeader::read(&path).unwrap();
    assert_eq!((header.width, header.height, header.channels), (512, 512, 3));
    assert_eq!(Image8::open(&path).unwrap().pixel(3, 3), [0, 0, 0, 255]);
}
