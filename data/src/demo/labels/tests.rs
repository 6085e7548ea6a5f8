#![allow(clippy::unwrap_used)]

use std::fs;

use crc32fast::Hasher;

use super::*;
use crate::labels::{IGNORE, LabelFormat, LabelSet, inspect};

fn small() -> LabelDemo {
    LabelDemo { height: 32, width: 48, train: 5, val: 2, ..LabelDemo::default() }
}

/// Frozen: figures that were measured on the default set stay comparable only as long as this holds.
#[test]
fn the_default_set_is_frozen() {
    let mut hash = Hasher::new();
    for (part, index) in [
        (LabelDemoSplit::Train, 0),
        (LabelDemoSplit::Train, 41),
        (LabelDemoSplit::Val, 0),
        (LabelDemoSplit::Val, 23),
    ] {
        let labelled = LabelDemo::default().image(part, index).unwrap();
        hash.update(labelled.image.as_slice().unwrap());
        hash.update(labelled.mask.as_slice().unwrap());
    }
    assert_eq!(hash.finalize(), 0x2129_9349);
}

#[test]
fn what_is_written_is_what_was_painted() {
    let out = tempfile::tempdir().unwrap();
    let demo = small();
    demo.write(out.path(), &|_, _| ()).unwrap();
    let set = LabelSet::open(out.path()).unwrap();
    assert_eq!((set.format, &set.classes), (LabelFormat::Folder, &LabelDemo::classes()));
    for (part, count) in [(LabelDemoSplit::Train, 5), (LabelDemoSplit::Val, 2)] {
        let split = set.split(part.as_str()).unwrap();
        assert_eq!(split.pairs.len(), count);
        for (i, pair) in split.pairs.iter().enumerate() {
            assert_eq!(set.load(pair).unwrap(), demo.image(part, i as u64).unwrap());
        }
    }
    // A smaller set replaces it; another folder's content does not go.
    LabelDemo { train: 2, val: 0, ..small() }.write(out.path(), &|_, _| ()).unwrap();
    let count = |folder: &str| fs::read_dir(out.path().join(folder)).unwrap().count();
    assert_eq!((count("images/train"), count("masks/train"), count("images/val")), (2, 2, 0));
    for manifest in [None, Some(r#"{"scene": "nerve demo"}"#)] {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("photo.jpg"), "").unwrap();
        if let Some(text) = manifest {
            fs::write(other.path().join("demo.json"), text).unwrap();
        }
        assert!(matches!(small().write(other.path(), &|_, _| ()), Err(DemoError::Occupied { .. })));
        assert!(!other.path().join("images").exists());
    }
}

#[test]
fn the_default_set_is_sound() {
    let out = tempfile::tempdir().unwrap();
    LabelDemo::default().write(out.path(), &|_, _| ()).unwrap();
    let report = inspect(&LabelSet::open(out.path()).unwrap(), &|_, _| ());
    assert_eq!(report.problems, [], "{report}");
    for split in &report.splits {
        for class in &split.classes {
            // None is rare, and none is in every image.
            assert!(class.share > 0.015, "{report}");
            assert!(class.name == "ground" || class.images < split.pairs, "{report}");
        }
        let ignored = split.ignored as f64 / split.pixels as f64;
        assert!((0.005..0.1).contains(&ignored), "{report}");
    }
}

#[test]
fn images_depend_on_seed_part_and_index() {
    let demo = small();
    let image = demo.image(LabelDemoSplit::Train, 3).unwrap();
    assert_eq!(image, LabelDemo { train: 500, ..small() }.image(LabelDemoSplit::Train, 3).unwrap());
    for other in [
        demo.image(LabelDemoSplit::Val, 3),
        demo.image(LabelDemoSplit::Train, 4),
        LabelDemo { seed: 1, ..small() }.image(LabelDemoSplit::Train, 3),
    ] {
        assert_ne!(image, other.unwrap());
    }
    assert!(image.mask.iter().all(|&label| label < 6 || label == IGNORE));
    for bad in [LabelDemo { width: 0, ..small() }, LabelDemo { shapes: 65, ..small() }] {
        assert!(matches!(bad.image(LabelDemoSplit::Train, 0), Err(DemoError::Config { .. })));
    }
}
