//! What inspection finds.

use std::sync::Mutex;

use super::Folder;
use crate::inspect::Severity;
use crate::labels::{LabelReport, LabelSet, inspect};

fn report(folder: &Folder) -> LabelReport {
    inspect(&LabelSet::open(folder.root()).unwrap(), &|_, _| ())
}

/// A folder of three classes; masks by split.
fn folder(masks: &[(&str, [u8; 6])]) -> Folder {
    let folder = Folder::new();
    folder.text("classes.txt", "ground\nthing\nsky\n");
    for (i, (split, ids)) in masks.iter().enumerate() {
        folder.image(&format!("images/{split}/{i}.png"), 1).mask(&format!("masks/{split}/{i}.png"), *ids);
    }
    folder
}

fn problem(report: &LabelReport, part: &str) -> Option<Severity> {
    report.problems.iter().find(|problem| problem.what.contains(part)).map(|problem| problem.severity)
}

#[test]
fn histogram_and_sizes() {
    let folder = folder(&[
        ("train", [0, 0, 1, 0, 0, 255]),
        ("train", [0, 0, 255, 0, 0, 2]),
        ("val", [0, 1, 2, 2, 2, 2]),
    ]);
    let set = LabelSet::open(folder.root()).unwrap();
    let calls = Mutex::new(Vec::new());
    let report = inspect(&set, &|done, total| calls.lock().unwrap().push((done, total)));
    let mut calls = calls.into_inner().unwrap();
    calls.sort_unstable();
    assert_eq!(calls, [(1, 3), (2, 3), (3, 3)]);
    let train = &report.splits[0];
    assert_eq!((train.pairs, train.pixels, train.ignored), (2, 12, 2));
    let class = |i: usize| (train.classes[i].pixels, train.classes[i].images, train.classes[i].share);
    assert_eq!((class(0), class(1), class(2)), ((8, 2, 0.8), (1, 1, 0.1), (1, 1, 0.1)));
    assert_eq!(
        (train.sizes.len(), train.sizes[0].width, train.sizes[0].height, train.sizes[0].count),
        (1, 3, 2, 2)
    );
    assert_eq!(report.problems, []);
    let text = report.to_string();
    for part in [
        "train        2 images, 16.7% of the pixels ignored",
        "80.000% in     2",
        "0 ground",
        "no problems found",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (json["format"].as_str(), json["splits"][1]["classes"][2]["pixels"].as_u64()),
        (Some("folder"), Some(4))
    );
}

#[test]
fn each_problem_is_found() {
    let from_one = report(&folder(&[("train", [1, 2, 3, 3, 2, 1])]));
    assert_eq!(
        problem(&from_one, "ids run from 1 to 3 and are never 0"),
        Some(Severity::Error),
        "{from_one}"
    );
    assert_eq!(problem(&from_one, "no split is held out"), Some(Severity::Note));

    let never_zero = report(&folder(&[("train", [1, 2, 2, 1, 2, 1]), ("val", [1; 6])]));
    assert_eq!(problem(&never_zero, "every class but the first (ground) occurs"), Some(Severity::Warning));
    assert_eq!(problem(&never_zero, "train: 1 of 3 classes do not occur: ground"), Some(Severity::Warning));
    assert_eq!(
        problem(&never_zero, "val: 1 classes do not occur: sky"),
        Some(Severity::Note),
        "{never_zero}"
    );

    let beyond = report(&folder(&[("train", [0, 1, 2, 3, 3, 0]), ("val", [0, 1, 2, 0, 0, 0])]));
    assert_eq!(problem(&beyond, "contains a value that belongs to no class: id 3"), Some(Severity::Error));
    assert!(beyond.problems[0].remedy.contains("\"ignore\": true"));
    assert_eq!(beyond.splits[0].unknown[0].pixels, 2);

    let ignored =
        report(&folder(&[("train", [0, 1, 2, 255, 255, 255]), ("train", [255; 6]), ("val", [255; 6])]));
    assert_eq!(problem(&ignored, "train: 75% of the pixels are ignored"), Some(Severity::Warning));
    assert_eq!(problem(&ignored, "val: every pixel is ignored"), Some(Severity::Error));
    assert_eq!(ignored.splits[0].all_ignored, 1);

    let outlines = report(&folder(&[("train", [1, 0, 2, 1, 0, 2]), ("val", [0, 1, 2, 0, 1, 2])]));
    assert_eq!(
        problem(&outlines, "100% of the pixels of the first class (ground) lie at the edges"),
        Some(Severity::Note)
    );

    let files = folder(&[("train", [0, 1, 2, 0, 1, 2]), ("val", [0, 1, 2, 0, 1, 2])]);
    files.image("images/train/odd.png", 1).mask("masks/val/spare.png", [0; 6]);
    std::fs::write(files.path("masks/val/1.png"), "x").unwrap();
    let files = report(&files);
    assert_eq!(problem(&files, "train: 1 images have no mask: odd.png"), Some(Severity::Warning));
    assert_eq!(problem(&files, "val: 1 masks have no image: spare.png"), Some(Severity::Warning));
    assert_eq!(problem(&files, "val: an image or its mask cannot be used:"), Some(Severity::Error));
    assert_eq!(files.problems[0].severity, Severity::Error, "the worst first");

    let lists = Folder::new();
    lists.text("classes.txt", "a\nb\n").text("train.txt", "0\n1\n9\n").text("val.txt", "1\n");
    for i in 0..2 {
        lists.image(&format!("images/{i}.png"), 1).mask(&format!("masks/{i}.png"), [0, 1, 0, 1, 0, 1]);
    }
    let lists = report(&lists);
    assert_eq!(problem(&lists, "1 images are listed twice: 1.png (train and val)"), Some(Severity::Warning));
    assert_eq!(problem(&lists, "train: 1 listed images do not exist: 9"), Some(Severity::Warning));
}

#[test]
fn binary_masks_of_0_and_255_are_named() {
    let set = |names: &str, ids: [u8; 6]| {
        let folder = Folder::new();
        folder.text("classes.txt", names);
        for split in ["train", "val"] {
            folder.image(&format!("images/{split}/a.png"), 1).mask(&format!("masks/{split}/a.png"), ids);
        }
        report(&folder)
    };
    let two = set("background\nlesion\n", [0, 0, 255, 255, 0, 0]);
    let refusal = two.refusal("train").unwrap();
    assert!(refusal.what.contains("0, which is background, and 255, which means ignored"), "{two}");
    assert!(refusal.remedy.contains("{\"name\": \"lesion\", \"id\": 255}"), "{two}");
    let one = set("lesion\n", [0, 0, 255, 255, 0, 0]);
    let refusal = one.refusal("train").unwrap();
    let file = &refusal.remedy[refusal.remedy.find('[').unwrap()..];
    assert!(file.contains("\"background\", \"id\": 0"), "{one}");
    // What it says to write is read, and mends it.
    let folder = Folder::new();
    folder.text("classes.json", file);
    folder.image("images/train/a.png", 1).mask("masks/train/a.png", [0, 0, 255, 255, 0, 0]);
    let mended = report(&folder);
    assert!(mended.refusal("train").is_none(), "{mended}");
    assert_eq!(mended.splits[0].classes[1].pixels, 2);

    let alone = set("lesion\n", [0; 6]);
    assert_eq!(problem(&alone, "there is one class, lesion"), Some(Severity::Warning), "{alone}");
    let sound = set("background\nlesion\n", [0, 1, 255, 255, 0, 0]);
    assert!(sound.refusal("train").is_none(), "{sound}");
    // One of three classes with outlines is a set to go on with.
    let some = set("a\nb\nc\n", [0, 0, 255, 255, 0, 0]);
    assert!(some.refusal("train").is_none(), "{some}");
}
