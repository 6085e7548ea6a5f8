//! Label sets with one thing wrong, before a training: what is refused, what is remarked, what is taken as it is.

use crate::program::{Place, stderr, stdout};
use png::{BitDepth, ColorType, Encoder};

const SIDE: u32 = 40;

/// A picture of [`SIDE`] on each side as PNG; `sample` gives the bytes of the pixel at a column and row.
fn png(
    side: u32,
    kind: (ColorType, BitDepth),
    palette: Option<&[u8]>,
    sample: &dyn Fn(u32, u32) -> Vec<u8>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, side, side);
    encoder.set_color(kind.0);
    encoder.set_depth(kind.1);
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    let all = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
    let data: Vec<u8> = all.flat_map(|(x, y)| sample(x, y)).collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

const GREY: (ColorType, BitDepth) = (ColorType::Grayscale, BitDepth::Eight);
const GREY16: (ColorType, BitDepth) = (ColorType::Grayscale, BitDepth::Sixteen);
const RGB: (ColorType, BitDepth) = (ColorType::Rgb, BitDepth::Eight);
const RGB16: (ColorType, BitDepth) = (ColorType::Rgb, BitDepth::Sixteen);
const PALETTE: (ColorType, BitDepth) = (ColorType::Indexed, BitDepth::Eight);

/// Stripes of three ids.
fn id(x: u32) -> u8 {
    (3 * x / SIDE) as u8
}

fn grey(first: u8) -> Vec<u8> {
    png(SIDE, GREY, None, &|x, _| vec![id(x) + first])
}

/// Six pictures with masks of three classes, as a folder that trains.
pub fn labels(place: &Place) {
    for folder in ["labels/images", "labels/masks"] {
        let folder = place.path(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder).unwrap();
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        let picture = png(SIDE, RGB, None, &|x, y| vec![id(x) * 90, y as u8 * 3, name.as_bytes()[0]]);
        std::fs::write(place.path(&format!("labels/images/{name}.png")), picture).unwrap();
        mask(place, name, grey(0));
    }
    place.write("labels/classes.txt", "sky\nroad\ntree\n");
    place.write("labels/train.txt", "a\nb\nc\nd\n");
    place.write("labels/val.txt", "e\nf\n");
}

fn mask(place: &Place, name: &str, bytes: Vec<u8>) {
    std::fs::write(place.path(&format!("labels/masks/{name}.png")), bytes).unwrap();
}

fn masks(place: &Place, bytes: &[u8]) {
    ["a", "b", "c", "d", "e", "f"].iter().for_each(|name| mask(place, name, bytes.to_vec()));
}

/// One step of a small segmenter.
pub const STEP: [&str; 11] =
    ["seg", "train", "labels", "--steps", "1", "--crop", "32", "--batch", "2", "--head-width", "8"];

#[test]
fn what_cannot_be_learnt_is_refused() {
    let (place, mut flaws) = (Place::new(), Vec::new());
    type Change<'a> = &'a dyn Fn(&Place);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let table: [(Change<'_>, &[&str]); 21] = [
        (&|p| mask(p, "a", grey(1)), &["labels/masks/a.png", "id 3", "classes.json"]),
        (
            &|p| mask(p, "b", png(SIDE, GREY, None, &|_, y| vec![if y == 7 { 99 } else { 0 }])),
            &["b.png", "id 99"],
        ),
        (&|p| masks(p, &grey(1)), &["count from 1", "subtract 1 from every id"]),
        (&|p| mask(p, "a", png(SIDE, GREY16, None, &|_, _| vec![1, 44])), &["a.png", "id 300"]),
        (
            &|p| mask(p, "a", png(SIDE, RGB16, None, &|_, _| vec![0; 6])),
            &["a.png", "16 bits", "8 bits a channel"],
        ),
        (&|p| mask(p, "a", png(SIDE, RGB, None, &|x, _| vec![9, id(x), 0])), &["a.png", "color (9, "]),
        (
            &|p| mask(p, "a", png(20, GREY, None, &|_, _| vec![0])),
            &["images/a.png", "40x40", "masks/a.png", "20x20"],
        ),
        (&|p| mask(p, "a", cut(grey(0))), &["masks/a.png", "complete"]),
        (&|p| mask(p, "a", vec![]), &["masks/a.png"]),
        (&|p| mask(p, "a", b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec()), &["masks/a.png", "JPEG", "PNG"]),
        (&|p| p.write("labels/images/a.png", "no picture"), &["images/a.png"]),
        (
            &|p| masks(p, &png(SIDE, GREY, None, &|_, _| vec![255])),
            &["every pixel is ignored", "classes.json"],
        ),
        (&|p| p.write("labels/classes.txt", ""), &["classes.txt", "0 classes"]),
        (
            &|p| p.write("labels/classes.txt", "sky\nroad\nsky\n"),
            &["classes.txt", "two classes are called sky"],
        ),
        (&|p| p.write("labels/classes.txt", &"c\n".repeat(300)), &["classes.txt"]),
        (
            &|p| p.write("labels/classes.json", "[{\"name\": \"sky\", \"id\": -1}]"),
            &["classes.json", "classes[0]"],
        ),
        (&|p| p.write("labels/classes.json", "[{\"name\": \"sky\","), &["classes.json", "line 1"]),
        (&|p| std::fs::remove_file(p.path("labels/classes.txt")).unwrap(), &["labels", "classes.txt"]),
        (&|p| p.write("labels/train.txt", ""), &["train"]),
        (&|p| p.write("labels/train.txt", "x\ny\n"), &["train", "x"]),
        (
            &|p| std::fs::write(p.path("labels/images/a.jpg"), [0]).unwrap(),
            &["a.jpg", "a.png", "remove the one"],
        ),
    ];
    for (change, parts) in table {
        labels(&place);
        let _ = std::fs::remove_file(place.path("labels/classes.json"));
        change(&place);
        flaws.extend(place.flaw(&STEP, parts));
        let inspected = place.run(&["inspect", "labels"]);
        let said = stdout(&inspected) + &stderr(&inspected);
        if inspected.get_output().status.code() != Some(1) || said.contains("panicked") {
            flaws.push(format!("inspect, {parts:?}: {said}"));
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n\n"));
    assert!(!place.path("runs").exists(), "no run was begun");
}

#[test]
fn what_can_be_meant_is_taken_and_what_is_doubtful_is_said() {
    let (place, mut flaws) = (Place::new(), Vec::new());
    let colors = [0, 0, 0, 128, 0, 0, 0, 128, 0];
    type Change<'a> = &'a dyn Fn(&Place);
    let table: [(Change<'_>, &[&str]); 7] = [
        (&|p| masks(p, &png(SIDE, PALETTE, Some(&colors), &|x, _| vec![id(x)])), &["no problems found"]),
        (&|p| masks(p, &png(SIDE, GREY16, None, &|x, _| vec![0, id(x)])), &["no problems found"]),
        (
            &|p| {
                p.write("labels/classes.txt", "sky\nroad\ntree\ncar\n");
                masks(p, &grey(1));
            },
            &["ids may count from 1", "subtract 1 from every id"],
        ),
        (&|p| p.write("labels/classes.txt", "sky\nroad\ntree\ncar\n"), &["1 of 4 classes do not occur: car"]),
        (
            &|p| mask(p, "a", png(SIDE, GREY, None, &|_, _| vec![255])),
            &["25.0% of the pixels ignored", "1 images"],
        ),
        (&|p| p.write("labels/train.txt", "a\nb\nc\nx\n"), &["listed images do not exist: x"]),
        (&|p| p.write("labels/train.txt", "a\nb\ne\n"), &["images are listed twice: e.png"]),
    ];
    for (i, (change, parts)) in table.into_iter().enumerate() {
        labels(&place);
        change(&place);
        let out = format!("run{i}");
        let run = place.run(&[&STEP[..], &["--no-eval", "--out", &out]].concat());
        let said = stderr(&run);
        let absent: Vec<_> = parts.iter().filter(|part| !said.contains(**part)).collect();
        if run.get_output().status.code() != Some(0) || !absent.is_empty() {
            flaws.push(format!("absent {absent:?} in {said}"));
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n\n"));
}

#[test]
fn layouts_that_are_none_are_told_what_was_looked_for() {
    let (place, mut flaws) = (Place::new(), Vec::new());
    place.write("notes/readme.txt", "nothing");
    flaws.extend(
        place.flaw(&["seg", "train", "notes", "--steps", "1"], &["notes", "classes.txt", "looked for"]),
    );
    place.write("city/leftImg8bit/train/aachen/x.txt", "");
    flaws.extend(place.flaw(&["seg", "train", "city", "--steps", "1"], &["city", "gtFine"]));
    place.write("file.txt", "");
    flaws.extend(place.flaw(&["seg", "train", "file.txt", "--steps", "1"], &["file.txt"]));
    flaws.extend(place.flaw(&["seg", "train", "nowhere", "--steps", "1"], &["nowhere", "no such folder"]));
    // Images alone are a label set's remains to a training, and photos to `nerve inspect`.
    labels(&place);
    std::fs::remove_dir_all(place.path("labels/masks")).unwrap();
    flaws.extend(place.flaw(&STEP, &["labels", "no masks", "masks/"]));
    labels(&place);
    let absent = [&STEP[..], &["--val-split", "night"]].concat();
    flaws.extend(place.flaw(&absent, &["no split night", "train, val"]));
    assert!(flaws.is_empty() && !place.path("runs").exists(), "{}", flaws.join("\n\n"));
}
