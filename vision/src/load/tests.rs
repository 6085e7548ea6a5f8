use std::fs;
use std::path::Path;

use nerve_core::graph::{Init, read};

use super::*;

/// A safetensors file of f32 arrays.
fn write(path: &Path, arrays: &[(&str, &[usize], &[f32])]) {
    let mut header = serde_json::Map::new();
    let mut bytes: Vec<u8> = Vec::new();
    for (name, shape, values) in arrays {
        let start = bytes.len();
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, bytes.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let header = serde_json::to_vec(&header).expect("JSON");
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length[..], &header, &bytes].concat()).expect("a file");
}

fn model() -> Variables {
    let variables = Variables::random(1);
    let scope = variables.tracked().at("m");
    for (name, shape) in [("qkv.weight", &[6, 2][..]), ("proj.weight", &[2, 2]), ("norm.bias", &[2])] {
        scope.weight(name, shape, Init::Normal(1.0)).expect("a weight");
    }
    variables
}

fn place(name: &str) -> Destination {
    let part = |part| Destination::Part { key: "qkv.weight".into(), part, parts: 3 };
    match name {
        "attention.query.weight" => part(0),
        "attention.key.weight" => part(1),
        "attention.value.weight" => part(2),
        "attention.index" => Destination::Ignored,
        name if name.starts_with("strange") => Destination::Unknown,
        name => Destination::Variable(renamed(name, &[("attention.output", "proj")])),
    }
}

const Q: (&str, &[usize], &[f32]) = ("attention.query.weight", &[2, 2], &[1., 2., 3., 4.]);
const K: (&str, &[usize], &[f32]) = ("attention.key.weight", &[2, 2], &[5., 6., 7., 8.]);
const V: (&str, &[usize], &[f32]) = ("attention.value.weight", &[2, 2], &[9., 10., 11., 12.]);
const PROJ: (&str, &[usize], &[f32]) = ("attention.output.weight", &[2, 2, 1, 1], &[-1., -2., -3., -4.]);
const NORM: (&str, &[usize], &[f32]) = ("norm.bias", &[2], &[7., 8.]);
const INDEX: (&str, &[usize], &[f32]) = ("attention.index", &[1], &[0.]);

#[test]
fn parts_are_joined_and_shards_found() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("a.safetensors"), &[Q, V, INDEX]);
    write(&folder.path().join("b.safetensors"), &[K, PROJ, NORM]);
    let map =
        serde_json::json!({"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}});
    fs::write(folder.path().join("model.safetensors.index.json"), map.to_string()).expect("a file");
    fs::write(folder.path().join("config.json"), r#"{"width": 3}"#).expect("a file");
    let mut source =
        WeightSource::find(&folder.path().display().to_string(), Access::Offline).expect("a source");
    let config: BTreeMap<String, usize> = source.config().expect("JSON").expect("a configuration");
    assert_eq!(config["width"], 3);
    let variables = model();
    // Values change in place: tensors that a model holds see them.
    let held = variables.get("m.qkv.weight").expect("a variable").var.as_detached_tensor();
    let report =
        load(&variables, "m.", &mut source, &place).and_then(LoadReport::strict).expect("a strict load");
    assert_eq!((report.loaded, report.ignored.len()), (3, 1));
    assert_eq!(*read(&held).expect("values"), (1..=12).map(|v| v as f32).collect::<Vec<_>>());
    let proj = variables.get("m.proj.weight").expect("a variable").var;
    assert_eq!(*read(&proj).expect("values"), *PROJ.2);
}

#[test]
fn what_does_not_fit_is_listed_key_by_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let strange: Vec<String> = (10..23).map(|i| format!("strange.{i}")).collect();
    let mut arrays = vec![Q, K, ("norm.bias", &[3][..], &[0.; 3][..]), ("other", &[1], &[0.])];
    arrays.extend(strange.iter().map(|name| (name.as_str(), &[1][..], &[0.][..])));
    write(&path, &arrays);
    let variables = model();
    let before = read(&variables.get("m.qkv.weight").expect("a variable").var).expect("values").to_vec();
    let report =
        load(&variables, "m.", &mut WeightSource::open(&path).expect("a source"), &place).expect("a report");
    assert_eq!(report.missing, ["m.proj.weight", "m.qkv.weight"]);
    assert_eq!((report.unexpected.len(), report.mismatched.len(), report.loaded), (14, 1, 0));
    assert_eq!(*read(&variables.get("m.qkv.weight").expect("a variable").var).expect("values"), before);
    let message = report.strict().expect_err("not all fits").to_string();
    for part in [
        "w.safetensors",
        "2 missing in the file:\n  m.proj.weight\n  m.qkv.weight",
        "14 unexpected in the file:\n  other\n  strange.10",
        "and 4 more",
        "norm.bias: [3] in the file, [2] in the model",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn resizing_is_the_models_business() {
    struct Resizing;
    impl Keys for Resizing {
        fn destination(&self, name: &str) -> Destination {
            place(name)
        }
        fn resize(&self, key: &str, values: &[f32], _: &[usize], to: &[usize]) -> Option<Vec<f32>> {
            (key == "norm.bias").then(|| values[..to[0]].to_vec())
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    write(&path, &[Q, K, V, PROJ, ("norm.bias", &[3], &[1., 2., 3.])]);
    let variables = model();
    let report = load(&variables, "m.", &mut WeightSource::open(&path).expect("a source"), &Resizing)
        .and_then(LoadReport::strict)
        .expect("a strict load");
    assert_eq!(report.resized, ["norm.bias"]);
    assert_eq!(*read(&variables.get("m.norm.bias").expect("a variable").var).expect("values"), [1., 2.]);
}

#[test]
fn a_matrix_is_transposed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    write(&path, &[("w", &[2, 3], &[1., 2., 3., 4., 5., 6.]), ("square", &[2, 2], &[1., 2., 3., 4.])]);
    let variables = Variables::random(1);
    for (name, shape) in [("w", [3, 2]), ("square", [2, 2])] {
        variables.tracked().weight(name, &shape, Init::Normal(1.0)).expect("a weight");
    }
    let mut source = WeightSource::open(&path).expect("a source");
    let keys = |name: &str| Destination::Transposed(name.to_owned());
    load(&variables, "", &mut source, &keys).and_then(LoadReport::strict).expect("a strict load");
    let values = |key: &str| read(&variables.get(key).expect("a variable").var).expect("values").to_vec();
    assert_eq!(values("w"), [1., 4., 2., 5., 3., 6.]);
    assert_eq!(values("square"), [1., 3., 2., 4.]);
}

#[test]
fn an_array_is_split() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    write(&path, &[("qkv", &[6], &[1., 2., f32::NAN, f32::NAN, 5., 6.])]);
    let variables = Variables::random(1);
    for name in ["q", "v"] {
        variables.tracked().weight(name, &[2], Init::Normal(1.0)).expect("a weight");
    }
    let mut source = WeightSource::open(&path).expect("a source");
    let keys = |_: &str| Destination::Split(vec![Some("q".to_owned()), None, Some("v".to_owned())]);
    load(&variables, "", &mut source, &keys).and_then(LoadReport::strict).expect("a strict load");
    let values = |key: &str| read(&variables.get(key).expect("a variable").var).expect("values").to_vec();
    assert_eq!((values("q"), values("v")), (vec![1., 2.], vec![5., 6.]));
    let others = Variables::random(1);
    for name in ["q", "v"] {
        others.tracked().weight(name, &[3], Init::Normal(1.0)).expect("a weight");
    }
    let error = load(&others, "", &mut source, &keys).and_then(LoadReport::strict).expect_err("another size");
    assert!(error.to_string().contains("[6] in the file, [9] in the model"), "{error}");
}

#[test]
fn folders_without_weights_and_indices_that_lead_away_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(WeightSource::open(folder.path()), Err(LoadError::NoWeights(_))));
    for name in ["../a.safetensors", "/etc/passwd", "a/b", "..", ""] {
        let map = serde_json::json!({"weight_map": {"x": name}});
        fs::write(folder.path().join("model.safetensors.index.json"), map.to_string()).expect("a file");
        let error = WeightSource::open(folder.path()).expect_err("refused").to_string();
        assert!(error.contains("not a plain file name"), "{error}");
    }
    fs::write(folder.path().join("model.safetensors.index.json"), "{").expect("a file");
    assert!(matches!(WeightSource::open(folder.path()), Err(LoadError::Json { .. })));
}

#[test]
fn names_are_replaced_as_whole_steps() {
    assert_eq!(renamed("a.b.c.weight", &[("b.c", "d")]), "a.d.weight");
    assert_eq!(renamed("ab.c.weight", &[("b.c", "d")]), "ab.c.weight");
    assert_eq!(renamed("b.c", &[("x", "y"), ("b.c", "d")]), "d");
    assert_eq!(renamed("b.w", &[("b", "")]), "w");
}
