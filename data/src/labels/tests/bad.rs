//! Errors name the file, the place and the remedy.

use std::error::Error;
use std::fs;

use super::{Folder, png_of};
use crate::labels::{LabelSet, inspect};
use crate::write::{PixelFormat, write_png};

/// A plain folder of two classes with one pair, `images/x.png` and `masks/x.png`.
fn good() -> Folder {
    let folder = Folder::new();
    folder.text("classes.json", r#"[{"name": "a", "color": [1, 1, 1]}, {"name": "b", "color": [2, 2, 2]}]"#);
    folder.image("images/x.png", 1).mask("masks/x.png", [0, 1, 0, 1, 255, 0]);
    folder
}

/// What to spoil, and what the error must say.
type Case<'a> = (&'a dyn Fn(&Folder), &'a [&'a str]);

fn error(folder: &Folder) -> String {
    let opened = LabelSet::open(folder.root());
    let error: Box<dyn Error> = match opened {
        Ok(set) => {
            let pair = &set.splits[0].pairs[0];
            let error = set.load(pair).unwrap_err();
            // Inspection goes on, and calls it an error or a problem.
            let report = inspect(&set, &|_, _| ());
            assert!(!report.problems.is_empty(), "{error}");
            error.into()
        }
        Err(error) => error.into(),
    };
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[test]
fn each_error_names_the_file_and_the_remedy() {
    let chunk = |folder: &Folder, at: usize, bytes: &[u8]| {
        let path = folder.path("masks/x.png");
        let mut png = fs::read(&path).unwrap();
        png[at..at + bytes.len()].copy_from_slice(bytes);
        // The header's checksum.
        let crc = !png[12..29].iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
        });
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        fs::write(&path, png).unwrap();
    };
    let grey = |folder: &Folder, ids: [u8; 6]| {
        folder.mask("masks/x.png", ids);
    };
    let cases: &[Case] = &[
        (
            &|f| grey(f, [0, 1, 0, 1, 2, 0]),
            &[
                "x.png: id 2 at column 1, row 1 belongs to no class",
                "ids are 0 to 1, 255 (ignored)",
                "class file",
            ],
        ),
        (
            &|f| {
                let deep: Vec<u8> = [0u16, 1, 0, 256, 0, 0].iter().flat_map(|v| v.to_ne_bytes()).collect();
                write_png(&f.path("masks/x.png"), 3, 2, PixelFormat::Gray16, &deep).unwrap();
            },
            &["x.png: id 256 at column 0, row 1"],
        ),
        (
            &|f| {
                png_of(
                    &f.path("masks/x.png"),
                    (3, 2),
                    png::ColorType::Indexed,
                    png::BitDepth::Eight,
                    &[0; 30],
                    &[9, 0, 0, 0, 0, 0],
                )
            },
            &["x.png: id 9 at column 0, row 0"],
        ),
        (
            &|f| {
                f.colors("masks/x.png", [[1; 3], [2; 3], [1, 2, 1], [1; 3], [1; 3], [1; 3]]);
            },
            &["color (1, 2, 1) at column 2, row 0", "2 colors are known", "resized or compressed"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"["a", "b"]"#).colors("masks/x.png", [[1, 2, 1]; 6]);
            },
            &["color (1, 2, 1)", "no colors are known", "`color` in classes.json"],
        ),
        (
            &|f| write_png(&f.path("masks/x.png"), 2, 3, PixelFormat::Gray, &[0; 6]).unwrap(),
            &["images/x.png: 3x2 pixels, but its mask", "masks/x.png has 2x3", "resize both"],
        ),
        (
            &|f| {
                let path = f.path("masks/x.png");
                let png = fs::read(&path).unwrap();
                fs::write(&path, &png[..png.len() - 20]).unwrap();
            },
            &["masks/x.png: cannot be decoded; is the file complete?"],
        ),
        (&|f| chunk(f, 16, &[0, 0, 0x20, 0, 0, 0, 0x20, 0]), &["masks/x.png: the file is truncated"]),
        (&|f| chunk(f, 16, &[0, 2, 0, 0]), &["masks/x.png: its header states 131072x2", "limit"]),
        (&|f| chunk(f, 16, &[0; 4]), &["masks/x.png"]),
        (
            &|f| {
                image::GrayImage::new(3, 2)
                    .save_with_format(f.path("masks/x.png"), image::ImageFormat::Jpeg)
                    .unwrap()
            },
            &["masks/x.png: a JPEG, whose compression changes labels", "PNG"],
        ),
        (
            &|f| fs::write(f.path("masks/x.png"), "no image").unwrap(),
            &["masks/x.png: not a PNG", "save masks as PNG"],
        ),
        (
            &|f| {
                let deep: Vec<u8> = vec![0; 36];
                png_of(
                    &f.path("masks/x.png"),
                    (3, 2),
                    png::ColorType::Rgb,
                    png::BitDepth::Sixteen,
                    &[],
                    &deep,
                );
            },
            &["masks/x.png: colors of 16 bits", "8 bits"],
        ),
        (
            &|f| fs::write(f.path("images/x.png"), "no image").unwrap(),
            &["images/x.png: not a PNG, JPEG or WebP"],
        ),
        (
            &|f| fs::remove_file(f.path("masks/x.png")).unwrap(),
            &["no image has a mask: 1 images (the first is", "x.png) and no masks", "names of the images"],
        ),
        (
            &|f| fs::remove_file(f.path("images/x.png")).unwrap(),
            &["1 masks", "and no images", "names of the masks"],
        ),
        (
            &|f| fs::rename(f.path("masks/x.png"), f.path("masks/y.png")).unwrap(),
            &["of other names", "give each mask the name of its image"],
        ),
        (
            &|f| {
                fs::remove_file(f.path("masks/x.png")).unwrap();
                fs::remove_file(f.path("images/x.png")).unwrap();
            },
            &["the folders or lists are empty"],
        ),
        (
            &|f| {
                f.text("train.txt", "a.png\nb.png\n");
            },
            &["2 listed files do not exist (the first is a.png)", "remove the list"],
        ),
        (
            &|f| {
                f.text("train.txt", "\n");
            },
            &["the folders or lists are empty"],
        ),
        (
            &|f| {
                f.image("images/x.jpg", 3);
            },
            &["images/x.jpg and", "images/x.png: two files of the same name"],
        ),
        (
            &|f| fs::remove_file(f.path("classes.json")).unwrap(),
            &["there is no class file", "write classes.txt with one name per line"],
        ),
        (
            &|f| {
                f.text("classes.json", "[]");
            },
            &["classes.json: 0 classes; give 1 to 255"],
        ),
        (
            &|f| {
                f.text(
                    "classes.json",
                    &serde_json::to_string(&(0..256).map(|i| i.to_string()).collect::<Vec<_>>()).unwrap(),
                );
            },
            &["classes.json: 256 classes; give 1 to 255"],
        ),
        (
            &|f| {
                f.text("classes.json", "[\n{");
            },
            &["classes.json: line 2: not JSON", "write [{"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"{"names": ["a"]}"#);
            },
            &["classes.json: classes: not a list"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"["a", {"name": "b", "color": [1, 2, 300]}]"#);
            },
            &["classes.json: classes[1]: not a class", "300"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"["a", {"name": "b", "colr": [1, 2, 3]}]"#);
            },
            &["classes[1]", "colr"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"["a", "b", "a"]"#);
            },
            &["class 2: two classes are called a"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"[{"name": "a", "id": 1}, {"name": "b", "id": 1}]"#);
            },
            &["a and b have the same id", "give each its own"],
        ),
        (
            &|f| {
                f.text("classes.json", r#"[{"name": "a", "id": 1}, "b"]"#);
            },
            &["classes.json: id: b has no id, other classes do"],
        ),
        (
            &|f| {
                f.text(
                    "classes.json",
                    r#"[{"name": "a", "color": [1, 2, 3]}, {"name": "b", "color": [1, 2, 3]}]"#,
                );
            },
            &["a and b have the same color"],
        ),
        (
            &|f| {
                fs::remove_file(f.path("classes.json")).unwrap();
                f.text("class_dict.csv", "name,r,g,b\na,1,2,3\nb,1,2\n");
            },
            &["class_dict.csv: line 3: `b,1,2` is not a class", "name,r,g,b"],
        ),
        (
            &|f| {
                fs::remove_file(f.path("classes.json")).unwrap();
                f.text("label_colors.txt", "1 2 3 a\n1 2 999 b\n");
            },
            &["label_colors.txt: line 2: `1 2 999` is not a color"],
        ),
    ];
    for (i, (spoil, parts)) in cases.iter().enumerate() {
        let folder = good();
        LabelSet::open(folder.root()).and_then(|set| set.load(&set.splits[0].pairs[0])).unwrap();
        spoil(&folder);
        let error = error(&folder);
        for part in *parts {
            assert!(error.contains(part), "case {i}: no `{part}` in: {error}");
        }
    }
}

#[test]
fn folders_that_are_no_label_set() {
    let folder = Folder::new();
    let error = |folder: &Folder| LabelSet::open(folder.root()).unwrap_err().to_string();
    for part in [
        "trainannot/",
        "JPEGImages/",
        "leftImg8bit/",
        "annotations/training/",
        "classes.json",
        "train_labels/",
    ] {
        assert!(error(&folder).contains(part));
    }
    let absent = LabelSet::open(&folder.root().join("none")).unwrap_err().to_string();
    assert!(absent.ends_with("none: no such folder"), "{absent}");
    folder.image("images/x.png", 1);
    assert!(error(&folder).contains("there are images but no masks"), "{}", error(&folder));
    let folder = Folder::new();
    folder.image("leftImg8bit/train/a/a_leftImg8bit.png", 1);
    assert!(error(&folder).contains("unpack gtFine"));
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.image(&format!("{name}/images/x.png"), 1).mask(&format!("{name}/masks/x.png"), [0; 6]);
    }
    assert!(error(&folder).contains("contains several label sets; give one of"), "{}", error(&folder));
}
