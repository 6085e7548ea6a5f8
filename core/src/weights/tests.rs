#![allow(clippy::unwrap_used)]
use std::fs;

use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The first values of what `weights.py` saves.
fn base(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 / 4.0 - 1.0).collect()
}

#[test]
fn all_layouts_hold_the_same() {
    for name in ["weights_zip.pth", "weights_legacy.pth", "weights.safetensors"] {
        let mut file = WeightFile::open(fixture(name)).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> =
            file.shapes().map(|(name, shape)| (name.to_owned(), shape.to_owned())).collect();
        assert_eq!(shapes.len(), 8, "{name}: {shapes:?}");
        assert_eq!((&*shapes["single"], &*shapes["scalar"]), (&[3, 4][..], &[][..]));
        for (array, values) in [
            ("single", base(12)),
            ("half", base(4)),
            ("brain", base(4)),
            ("double", base(3)),
            ("parameter", base(2)),
            ("view", base(9)[5..].to_vec()),
            ("scalar", vec![2.5]),
        ] {
            assert_eq!(file.read(array).unwrap(), values, "{name}: {array}");
        }
        let error = file.read("count").unwrap_err().to_string();
        assert!(error.contains("'count' holds no floating-point numbers") && error.contains(name), "{error}");
        assert!(matches!(file.read("absent").unwrap_err().problem, WeightsProblem::Absent(_)));
    }
}

/// A training's checkpoint: the model beside a step, options and an optimizer.
#[test]
fn the_model_of_a_checkpoint_is_found() {
    for name in ["weights_model.pth", "weights_state_dict.pth"] {
        let mut file = WeightFile::open(fixture(name)).unwrap();
        assert_eq!(file.shapes().map(|(name, _)| name).collect::<Vec<_>>(), ["layer.bias", "layer.weight"]);
        assert_eq!(file.read("layer.weight").unwrap(), base(6), "{name}");
        assert_eq!(file.read("layer.bias").unwrap(), base(2), "{name}");
    }
}

#[test]
fn what_is_no_dictionary_of_tensors_is_said() {
    let turned = WeightFile::open(fixture("weights_turned.pth")).unwrap_err();
    assert!(
        matches!(turned.problem, WeightsProblem::Unsupported(_)) && turned.to_string().contains("'turned'"),
        "{turned}"
    );
    let list = WeightFile::open(fixture("weights_list.pth")).unwrap_err().to_string();
    assert!(list.contains("state_dict()"), "{list}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for text in ["", "weights", "\u{80}\u{2}", "a picture of something"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(WeightFile::open(&path).unwrap_err().problem, WeightsProblem::Foreign));
    }
    assert!(matches!(
        WeightFile::open(folder.path().join("absent")).unwrap_err().problem,
        WeightsProblem::Io(_)
    ));
}

#[test]
fn cut_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for name in ["weights_zip.pth", "weights_legacy.pth", "weights.safetensors"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(WeightFile::open(&path).is_err(), "{name} cut to {length}");
        }
    }
}

/// Opens the file and reads what it says is there; errors are fine.
fn devour(path: &Path) {
    if let Ok(mut file) = WeightFile::open(path) {
        let names: Vec<String> = file.shapes().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let _ = file.read(&name);
        }
    }
}

#[test]
fn a_pickle_that_promises_too_much_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pth");
    let head = fs::read(fixture("weights_legacy.pth")).unwrap();
    // After the magic number: a text of 4 GiB, a recall of nothing, a call of nothing, items for nothing, a list in
    // itself, 100,000 tuples in each other.
    let nested = [&b"\x80\x02)"[..], &[0x85; 100_000], b"."].concat();
    for pickle in [
        &b"\x80\x02X\xff\xff\xff\xffab."[..],
        b"\x80\x02h\x01.",
        b"\x80\x02R.",
        b"\x80\x02(K\x01e.",
        b"]q\0h\0a.",
        &nested,
    ] {
        fs::write(&path, [&head[..15], pickle, pickle, pickle, pickle].concat()).unwrap();
        assert!(WeightFile::open(&path).is_err());
    }
}

#[test]
fn a_pickle_that_repeats_itself_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pth");
    let head = fs::read(fixture("weights_legacy.pth")).unwrap();
    let repeated = |part: &[u8]| part.repeat(3000);
    // A list of 3000, named as a storage 3000 times; a text of 3000, as a function's name; a dictionary of 3000 pairs.
    let list = [&b"("[..], &repeated(b"N"), b"tq\0"].concat();
    let storages = [&list[..], &repeated(b"h\0Q"), b"."].concat();
    let functions = [&b"X\xb8\x0b\0\0"[..], &repeated(b"x"), b"q\0", &repeated(b"h\0h\0\x93"), b"."].concat();
    let pairs =
        [&b"NN\x86q\x01("[..], &repeated(b"h\x01"), b"t\x85q\0ccollections\nOrderedDict\nq\x02"].concat();
    let dictionaries = [&pairs[..], &repeated(b"h\x02h\0R"), b"."].concat();
    for pickle in [storages, functions, dictionaries] {
        fs::write(&path, [&head[..15], &pickle, &pickle, &pickle, &pickle].concat()).unwrap();
        let error = WeightFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("repeats itself"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changed_bytes_never_panic(
        name in prop::sample::select(vec!["weights_zip.pth", "weights_legacy.pth", "weights.safetensors"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fs::read(fixture(name)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changed");
        fs::write(&path, bytes).unwrap();
        devour(&path);
    }
}
