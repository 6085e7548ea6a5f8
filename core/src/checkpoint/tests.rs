#![allow(clippy::unwrap_used)]
use std::{collections::BTreeMap, fs, io::Write, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::save::write_all;
use super::*;
use crate::device::DeviceKind;
use crate::run::AtomicFile;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    (folder, path)
}

fn meta() -> BTreeMap<String, String> {
    [("step".to_owned(), "12".to_owned()), ("a".to_owned(), "ü \"x\"".to_owned())].into()
}

/// A small checkpoint: bytes (odd in number, so that order matters for alignment), floats and integers.
fn write_small(path: &Path) {
    let tensors = [
        ("bits".to_owned(), vec![3], TensorData::U8(&[1, 2, 255])),
        ("weight".to_owned(), vec![2, 2], TensorData::F32(&[1.0, -0.0, f32::NAN, 1e-45])),
        ("count".to_owned(), vec![], TensorData::U32(&[u32::MAX])),
        ("none".to_owned(), vec![0, 4], TensorData::F32(&[])),
    ];
    save(path, &meta(), &tensors).unwrap();
}

fn problem(path: &Path) -> CheckpointProblem {
    let error = Checkpoint::load(path).unwrap_err();
    assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
    error.problem
}

#[test]
fn round_trip() {
    let (_folder, path) = folder();
    write_small(&path);
    let checkpoint = Checkpoint::load(&path).unwrap();
    assert_eq!(checkpoint.names(), ["bits", "count", "none", "weight"].map(String::from));
    assert_eq!(checkpoint.meta("step").unwrap(), "12");
    assert_eq!(checkpoint.meta("a").unwrap(), "ü \"x\"");
    assert_eq!(checkpoint.u8("bits", &[3]).unwrap(), [1, 2, 255]);
    assert_eq!(checkpoint.u32("count", &[]).unwrap(), [u32::MAX]);
    assert!(checkpoint.f32("none", &[0, 4]).unwrap().is_empty());
    let weight = checkpoint.f32("weight", &[2, 2]).unwrap();
    assert_eq!(weight[3].to_bits(), 1);
    let mut out = [0.0; 4];
    checkpoint.read_into_f32("weight", &[2, 2], &mut out).unwrap();
    assert_eq!(out.map(f32::to_bits), [1.0, -0.0, f32::NAN, 1e-45].map(f32::to_bits));
}

#[test]
fn other_readers_accept_the_file() {
    let (_folder, path) = folder();
    write_small(&path);
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("bits").unwrap().data(), [1, 2, 255]);
    assert_eq!(tensors.tensor("weight").unwrap().shape(), [2, 2]);
}

#[test]
fn equal_content_gives_equal_bytes() {
    let (_folder, path) = folder();
    write_small(&path);
    let first = fs::read(&path).unwrap();
    write_small(&path);
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn access_checks_name_type_and_shape() {
    let (_folder, path) = folder();
    write_small(&path);
    let c = Checkpoint::load(&path).unwrap();
    assert!(matches!(c.meta("absent").unwrap_err().problem, CheckpointProblem::NoMeta(_)));
    assert!(matches!(c.f32("absent", &[1]).unwrap_err().problem, CheckpointProblem::NoTensor(_)));
    assert!(matches!(c.f32("count", &[]).unwrap_err().problem, CheckpointProblem::Type { .. }));
    assert!(matches!(c.u8("weight", &[2, 2]).unwrap_err().problem, CheckpointProblem::Type { .. }));
    let error = c.f32("weight", &[4]).unwrap_err();
    assert!(error.to_string().contains("'weight' has shape [2, 2], expected [4]"), "{error}");
    for (shape, values) in [(vec![4], 4), (vec![4, 1], 4), (vec![2, 2], 3)] {
        let error = c.read_into_f32("weight", &shape, &mut vec![0.0; values]).unwrap_err();
        assert!(matches!(error.problem, CheckpointProblem::Shape { .. }), "{shape:?}: {error}");
    }
}

/// Checkpoints of earlier versions record no device: there was only the processor.
#[test]
fn the_device_is_recorded() {
    let (_folder, path) = folder();
    let load = |device: Option<&str>| {
        let mut meta = meta();
        meta.extend(device.map(|device| (DEVICE_KEY.to_owned(), device.to_owned())));
        save(&path, &meta, &[]).unwrap();
        Checkpoint::load(&path).unwrap().device()
    };
    assert_eq!(load(None).unwrap(), DeviceKind::Cpu);
    assert_eq!(load(Some("cpu")).unwrap(), DeviceKind::Cpu);
    assert_eq!(load(Some("cuda")).unwrap(), DeviceKind::Cuda);
    let error = load(Some("abacus")).unwrap_err();
    assert!(matches!(error.problem, CheckpointProblem::Device(_)));
    assert!(error.to_string().contains("'abacus'"), "{error}");
}

#[test]
fn older_newer_and_foreign_files_are_refused_with_a_remedy() {
    let (_folder, path) = folder();
    write_small(&path);
    let bytes = fs::read(&path).unwrap();
    let replace = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        fs::write(&path, bytes).unwrap();
    };
    replace(b"nerve_format_version\":\"2", b"nerve_format_version\":\"3");
    assert!(matches!(problem(&path), CheckpointProblem::Newer(3)));
    assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("update nerve"));
    replace(b"nerve_format_version\":\"2", b"nerve_format_version\":\"1");
    assert!(matches!(problem(&path), CheckpointProblem::Older(1)));
    assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("earlier nerve"));
    replace(b"nerve_format_version\":\"2", b"nerve_format_version\":\"x");
    assert!(matches!(problem(&path), CheckpointProblem::Malformed(_)));
    replace(b"nerve_format", b"other_format");
    assert!(matches!(problem(&path), CheckpointProblem::Foreign));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (_folder, path) = folder();
    write_small(&path);
    let bytes = fs::read(&path).unwrap();
    let read = || -> Result<(), CheckpointError> {
        let c = Checkpoint::load(&path)?;
        assert_eq!(c.meta("step")?, "12");
        c.u8("bits", &[3])?;
        c.f32("weight", &[2, 2])?;
        c.f32("none", &[0, 4])?;
        c.u32("count", &[]).map(drop)
    };
    read().unwrap();
    let mut damaged = 0;
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).unwrap();
        let Err(error) = read() else { panic!("bit {bit}") };
        assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
        damaged += u32::from(matches!(error.problem, CheckpointProblem::Damaged(_)));
    }
    // The last bytes are the tensor `bits`.
    assert!(read().unwrap_err().to_string().contains("tensor 'bits' is damaged"));
    assert!(damaged > 500, "the others break the header's syntax: {damaged}");
}

#[test]
fn a_cut_file_is_refused_at_every_length() {
    let (_folder, path) = folder();
    write_small(&path);
    let bytes = fs::read(&path).unwrap();
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(matches!(problem(&path), CheckpointProblem::Malformed(_)), "cut to {len}");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(problem(&path), CheckpointProblem::Malformed(_)));
}

#[test]
fn a_header_that_promises_too_much_allocates_nothing() {
    let (_folder, path) = folder();
    for json in [
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#,
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}"#,
    ] {
        let header = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
        fs::write(&path, header).unwrap();
        assert!(matches!(problem(&path), CheckpointProblem::Malformed(_)), "{json}");
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(matches!(problem(&path), CheckpointProblem::Malformed(_)));
}

#[test]
fn contradictory_content_is_not_saved() {
    let (_folder, path) = folder();
    let tensor = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec(), TensorData::U8(&[1, 2]));
    for tensors in [
        vec![tensor("a", &[3])],
        vec![tensor("a", &[usize::MAX, 3])],
        vec![tensor("a", &[2]), tensor("a", &[2])],
        vec![tensor("__metadata__", &[2])],
    ] {
        let error = save(&path, &meta(), &tensors).unwrap_err();
        assert!(matches!(error.problem, CheckpointProblem::Invalid { .. }), "{error}");
    }
    for key in [VERSION_KEY, checksum::HEADER_KEY, checksum::TENSORS_KEY] {
        let reserved = [(key.to_owned(), "7".to_owned())].into();
        assert!(matches!(
            save(&path, &reserved, &[]).unwrap_err().problem,
            CheckpointProblem::Invalid { .. }
        ));
    }
    assert!(!path.exists());
}

#[test]
fn a_disk_that_fills_up_at_any_byte_leaves_the_old_checkpoint() {
    /// Fails once so many bytes are written, as a full disk does.
    struct Filling<'a>(&'a mut AtomicFile, usize);
    impl Write for Filling<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.1);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.1 -= fits;
            self.0.write(&bytes[..fits])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let (folder, path) = folder();
    write_small(&path);
    let old = fs::read(&path).unwrap();
    let tensor = [7u8; 100_000];
    let size = 8 + 16 + tensor.len();
    for room in [0, 1, 8, 20, 24, 65_536, size - 1] {
        let mut file = AtomicFile::create(&path).unwrap();
        let error =
            write_all(&mut Filling(&mut file, room), &[b' '; 16], [&tensor[..]].into_iter()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), old, "{room} bytes of room");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers");
    }
    let mut file = AtomicFile::create(&path).unwrap();
    write_all(&mut Filling(&mut file, size), &[b' '; 16], [&tensor[..]].into_iter()).unwrap();
    file.commit().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), size as u64);
}

#[test]
fn a_missing_folder_is_named() {
    let error = save(Path::new("/nonexistent/checkpoint.safetensors"), &meta(), &[]).unwrap_err();
    assert!(matches!(error.problem, CheckpointProblem::Io(_)));
    assert!(error.to_string().contains("/nonexistent/checkpoint.safetensors"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bit pattern: NaN payloads, infinities, denormals, signed zeros.
    #[test]
    fn floats_and_integers_survive_bit_for_bit(
        words in prop::collection::vec(any::<u32>(), 0..200), bytes in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let (_folder, path) = folder();
        let floats: Vec<f32> = words.iter().copied().map(f32::from_bits).collect();
        let tensors = [
            ("b".to_owned(), vec![bytes.len()], TensorData::U8(&bytes)),
            ("f".to_owned(), vec![floats.len(), 1], TensorData::F32(&floats)),
            ("u".to_owned(), vec![words.len()], TensorData::U32(&words)),
        ];
        save(&path, &BTreeMap::new(), &tensors).unwrap();
        let checkpoint = Checkpoint::load(&path).unwrap();
        let read: Vec<u32> =
            checkpoint.f32("f", &[words.len(), 1]).unwrap().into_iter().map(f32::to_bits).collect();
        prop_assert_eq!(&read, &words);
        prop_assert_eq!(checkpoint.u32("u", &[words.len()]).unwrap(), words);
        prop_assert_eq!(checkpoint.u8("b", &[bytes.len()]).unwrap(), bytes);
    }
}
