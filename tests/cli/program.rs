//! Running the program, and reading what it leaves.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use nerve::core::checkpoint::{Checkpoint, TensorData, save};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A field small enough to train in a second.
pub const SMALL: [&str; 8] =
    ["--log2-entries", "12", "--batch-samples", "2048", "--levels", "6", "--max-images", "6"];

/// A fresh folder, which the program runs in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a demo scene of eight training views in `scene`.
    pub fn with_scene(test_views: usize) -> Self {
        let place = Self::new();
        let test = test_views.to_string();
        place.run(&["demo", "scene", "--resolution", "40", "--train", "8", "--test", &test]).success();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Assert {
        Command::cargo_bin("nerve").unwrap().args(args).current_dir(self.0.path()).assert()
    }

    /// Trains on `scene`, small; `more` are further flags.
    pub fn train(&self, more: &[&str]) -> Assert {
        self.run(&[&["train", "scene"], &SMALL[..], more].concat())
    }

    /// Runs a command that must fail with one error that names `parts`.
    pub fn fails(&self, args: &[&str], parts: &[&str]) {
        let flaw = self.flaw(args, parts);
        assert_eq!(flaw, None);
    }

    /// What is wrong with how a command fails, for tables; see [`Self::fails`].
    pub fn flaw(&self, args: &[&str], parts: &[&str]) -> Option<String> {
        let run = self.run(args);
        let (code, error) = (run.get_output().status.code(), stderr(&run));
        let once = error.matches("error: ").count() == 1;
        let calm = !error.contains("panicked") && !error.contains("backtrace");
        let absent: Vec<&&str> = parts.iter().filter(|part| !error.contains(**part)).collect();
        let fine = code == Some(1) && once && calm && absent.is_empty();
        (!fine).then(|| format!("{args:?} ended with {code:?}, absent {absent:?} in {error}"))
    }

    /// Starts the program and leaves it to the test.
    #[cfg(unix)]
    pub fn spawn(&self, args: &[&str]) -> std::process::Child {
        std::process::Command::new(assert_cmd::cargo::cargo_bin("nerve"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }
}

pub fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// Every line of stdout, which must all be JSON objects with an event.
pub fn events(assert: &Assert) -> Vec<Value> {
    parse_events(&stdout(assert))
}

pub fn parse_events(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["event"].is_string(), "{line}");
        value
    };
    text.lines().map(parse).collect()
}

/// The last event of that name.
pub fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let found = events.iter().rfind(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no event {name} in {events:?}"))
}

/// A checkpoint without its clock, what sums that up, and how often it was saved: the header, and all tensors' bytes.
pub fn state(checkpoint: &Path) -> (Value, Vec<u8>) {
    let bytes = std::fs::read(checkpoint).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut json: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let meta = json["__metadata__"].as_object_mut().unwrap();
    let (clock, sum) = (meta.remove("elapsed_ns"), meta.remove("nerve_header_crc32"));
    let mut config: Value = serde_json::from_str(meta["config"].as_str().unwrap()).unwrap();
    let train = config["train"].as_object_mut().unwrap();
    train.remove("no_eval");
    assert!(train.remove("save_every").is_some());
    meta.insert("config".into(), config);
    assert!(clock.is_some() && sum.is_some() && json["__metadata__"]["rays"].is_string());
    (json, bytes[8 + header..].to_vec())
}

/// Changes what a checkpoint says beside its tensors, which stay; its checksums fit again.
pub fn rewrite_meta(path: &Path, change: impl FnOnce(&mut BTreeMap<String, String>)) {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let mut meta: BTreeMap<String, String> = serde_json::from_value(json["__metadata__"].clone()).unwrap();
    meta.retain(|key, _| !key.starts_with("nerve_"));
    change(&mut meta);
    let file = Checkpoint::load(path).unwrap();
    let named = file.names().into_iter().map(|name| {
        let shape = file.shape(&name).unwrap().to_vec();
        let floats = file.f32(&name, &shape).map_err(|_| file.u32(&name, &shape).unwrap());
        (name, shape, floats)
    });
    let named: Vec<_> = named.collect();
    let tensors: Vec<_> = named
        .iter()
        .map(|(name, shape, values)| {
            let data = values.as_ref().map_or_else(|u| TensorData::U32(u), |f| TensorData::F32(f));
            (name.clone(), shape.clone(), data)
        })
        .collect();
    save(path, &meta, &tensors).unwrap();
}

/// The steps in a metrics log, whose lines must all be whole.
pub fn metric_steps(log: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(log).unwrap();
    let step = |line: &str| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap();
    text.lines().map(step).collect()
}
