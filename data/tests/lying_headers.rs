//! What a header announces is not allocated before it is checked. A test of its own, since it counts the allocations
//! of the whole process.
#![allow(clippy::unwrap_used)]

use std::alloc::System;

use nerve_data::Image8;
use nerve_data::image::ImageHeader;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Far below any of the sizes that are announced; decoders have buffers of their own.
const LITTLE: usize = 1 << 20;

/// A PNG that is only its header and the beginning of its data.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([16, 6, 0, 0, 0]);
    let crc = chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], &chunk, &(!crc).to_be_bytes(), b"\0\0\0\0IDAT\x35\xaf\x06\x1e"]
        .concat()
}

/// A JPEG that is only its frame header.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let frame = [
        &[0xff, 0xc0, 0, 17, 8][..],
        &height.to_be_bytes(),
        &width.to_be_bytes(),
        &[3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1],
    ];
    [
        &[0xff, 0xd8][..],
        &frame.concat(),
        &[0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 0xff, 0xd9],
    ]
    .concat()
}

/// A lossless WebP that is only its header.
fn webp() -> Vec<u8> {
    [&b"RIFF\xff\xff\xff\x0fWEBPVP8L\xf3\xff\xff\x0f\x2f"[..], &[0xff; 4]].concat()
}

#[test]
fn a_lying_header_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [
        ("beyond.png", png(100_000, 100_000)),
        ("within.png", png(16_000, 16_000)),
        ("beyond.jpg", jpeg(65_535, 65_535)),
        ("within.jpg", jpeg(16_000, 16_000)),
        ("within.webp", webp()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, file).unwrap();
        let region = Region::new(ALLOCATOR);
        assert!(ImageHeader::read(&path).unwrap_err().to_string().contains(name));
        let error = Image8::open(&path).unwrap_err().to_string();
        let allocated = region.change().bytes_allocated;
        assert!(error.contains(name), "{error}");
        assert!(allocated < LITTLE, "{name}: {allocated} bytes for {error}");
    }
}
