//! Every kind of PNG that holds labels.

use png::{BitDepth, ColorType};

use super::{Folder, png_of};
use crate::labels::mask::{self, MaskPixels};
use crate::labels::{IGNORE, LabelSet};
use crate::write::{PixelFormat, write_png};

#[test]
fn whatever_the_file_holds_pixels_are_class_numbers() {
    let folder = Folder::new();
    folder.text(
        "classes.json",
        r#"[{"name": "a", "color": [9, 9, 9]}, {"name": "b", "color": [200, 0, 0]}, {"name": "c", "colour": [0, 1, 0]}]"#,
    );
    folder.image("images/x.png", 5).mask("masks/x.png", [0; 6]);
    let set = LabelSet::open(folder.root()).unwrap();
    let pair = &set.splits[0].pairs[0];
    let expected = [2, 1, 0, 0, IGNORE, 1];
    let path = &pair.mask;
    let check = |kind: &str| assert_eq!(set.load(pair).unwrap().mask.as_slice().unwrap(), expected, "{kind}");

    write_png(path, 3, 2, PixelFormat::Gray, &expected).unwrap();
    check("8 bits");
    let deep: Vec<u8> = expected.iter().flat_map(|&v| u16::from(v).to_ne_bytes()).collect();
    write_png(path, 3, 2, PixelFormat::Gray16, &deep).unwrap();
    check("16 bits");
    let alpha: Vec<u8> = expected.iter().flat_map(|&v| [v, 77]).collect();
    png_of(path, (3, 2), ColorType::GrayscaleAlpha, BitDepth::Eight, &[], &alpha);
    check("8 bits with alpha");
    let alpha: Vec<u8> = expected.iter().flat_map(|&v| [0, v, 77, 77]).collect();
    png_of(path, (3, 2), ColorType::GrayscaleAlpha, BitDepth::Sixteen, &[], &alpha);
    check("16 bits with alpha");
    // The palette's colors say otherwise than its indices.
    let palette: Vec<u8> = (0..256u32).flat_map(|i| [200, 0, (i % 7) as u8]).collect();
    png_of(path, (3, 2), ColorType::Indexed, BitDepth::Eight, &palette, &expected);
    check("palette");

    let few = [2, 1, 0, 0, 2, 1];
    png_of(path, (3, 2), ColorType::Indexed, BitDepth::Four, &[0; 9], &[0x21, 0x00, 0x02, 0x10]);
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), few, "4 bits");
    png_of(path, (3, 2), ColorType::Grayscale, BitDepth::Two, &[], &[0b10_01_00_11, 0b00_10_01_11]);
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), few, "2 bits");
    png_of(path, (3, 2), ColorType::Grayscale, BitDepth::One, &[], &[0b0111_1111, 0b1010_0000]);
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), [0, 1, 1, 1, 0, 1], "1 bit");

    let color = |class: u8| [[9, 9, 9], [200, 0, 0], [0, 1, 0]][usize::from(class)];
    folder.colors("masks/x.png", few.map(color));
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), few, "colors");
    let rgba: Vec<u8> = few.iter().flat_map(|&class| [color(class).as_slice(), &[0]].concat()).collect();
    write_png(path, 3, 2, PixelFormat::Rgba, &rgba).unwrap();
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), few, "colors with alpha");
}

#[test]
fn colors_only_and_ids_only() {
    let folder = Folder::new();
    folder
        .image("train/x.png", 1)
        .text("class_dict.csv", "name,r,g,b\nbody,255,255,255\nvoid,0,0,0\n\"tail\",10,0,0\n");
    folder.mask("train_labels/x.png", [255, 255, 0, 0, 255, 255]);
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!(set.class_names(), ["body", "tail"]);
    let pair = &set.splits[0].pairs[0];
    // Without ids of their own, a gray's number is the class's place in the file.
    folder.colors("train_labels/x.png", [[255; 3], [10, 0, 0], [0; 3], [0; 3], [255; 3], [255; 3]]);
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), [0, 1, IGNORE, IGNORE, 0, 0]);

    // CamVid's are known by color only: palettes and grays are looked up.
    let folder = Folder::new();
    folder.image("train/x.png", 1).mask("train_labels/x_L.png", [128, 128, 0, 0, 128, 0]);
    let set = LabelSet::open(folder.root()).unwrap();
    let pair = &set.splits[0].pairs[0];
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), [0, 0, IGNORE, IGNORE, 0, IGNORE]);
    let palette = [128, 64, 128, 0, 0, 0, 192, 0, 64];
    png_of(&pair.mask, (3, 2), ColorType::Indexed, BitDepth::Eight, &palette, &[0, 1, 2, 0, 0, 2]);
    assert_eq!(set.load_mask(pair).unwrap().as_slice().unwrap(), [3, IGNORE, 3, 3, 3, 3]);

    // Numbers that were saved as a gray of three channels.
    let folder = Folder::new();
    folder.text("classes.txt", "a\nb\n").image("images/x.png", 1);
    folder.colors("masks/x.png", [[1; 3], [0; 3], [255; 3], [0; 3], [1; 3], [1; 3]]);
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!(set.load_mask(&set.splits[0].pairs[0]).unwrap().as_slice().unwrap(), [1, 0, IGNORE, 0, 1, 1]);
}

#[test]
fn interlaced_pngs_of_few_bits_keep_their_order() {
    // 8x8, 2 bits, Adam7, written by another program (Pillow cannot; by hand with zlib's stored blocks).
    let value = |x: usize, y: usize| ((x * 3 + y * 5) % 4) as u8;
    let passes =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let mut raw = Vec::new();
    for (x0, y0, dx, dy) in passes {
        for y in (y0..8).step_by(dy) {
            raw.push(0);
            let row: Vec<u8> = (x0..8).step_by(dx).map(|x| value(x, y)).collect();
            raw.extend(
                row.chunks(4)
                    .map(|four| four.iter().enumerate().fold(0, |byte, (i, v)| byte | v << (6 - 2 * i))),
            );
        }
    }
    let folder = Folder::new();
    let path = folder.path("m.png");
    std::fs::write(&path, interlaced(8, 8, &raw)).unwrap();
    let expected: Vec<u16> = (0..64).map(|i| u16::from(value(i % 8, i / 8))).collect();
    assert_eq!(mask::read(&path).unwrap().pixels, MaskPixels::Grey(expected));
}

/// An interlaced gray PNG of 2 bits, uncompressed.
fn interlaced(width: u32, height: u32, raw: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
        })
    };
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
    };
    let (a, b) = raw.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let length = raw.len() as u16;
    let zlib = [
        &[0x78, 1, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        raw,
        &(b << 16 | a).to_be_bytes(),
    ];
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[2, 0, 0, 0, 1]].concat();
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &zlib.concat()),
        &chunk(b"IEND", &[]),
    ]
    .concat()
}
