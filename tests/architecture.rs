//! ARCHITECTURE.md is the map: every module stands in it, and what stands in it exists.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The tables' entries, relative to the workspace: a section's heading names the folder, `a/b.rs` a file and `a/`
/// the files that lie directly in a folder.
fn entries(text: &str) -> BTreeSet<String> {
    let mut folder = None;
    let mut entries = BTreeSet::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            folder = heading.strip_prefix('`').and_then(|h| h.strip_suffix('`'));
        }
        if let (Some(folder), Some(row)) = (folder, line.strip_prefix("| `")) {
            let cell = row.split('|').next().unwrap();
            let names = cell.trim().trim_end_matches('`').split("`, `");
            entries.extend(names.map(|name| format!("{folder}/{name}")));
        }
    }
    entries
}

/// All Rust files below `folder` that are not tests, relative to `root`.
fn modules(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let relative = path.strip_prefix(root).unwrap().to_owned();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let is_test = stem == "tests" || stem.ends_with("_tests") || stem == "testing";
        if path.is_dir() && !is_test {
            modules(root, &relative, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test {
            found.push(relative.to_str().unwrap().replace('\\', "/"));
        }
    }
}

#[test]
fn the_map_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = entries(&std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap());
    let mut files = Vec::new();
    for folder in ["src", "core/src", "data/src", "nerf/src", "viewer/src", "vision/src"] {
        modules(root, Path::new(folder), &mut files);
    }
    assert!(files.len() > 50, "the tree was found");
    let covered = |file: &String| {
        let (folder, _) = file.rsplit_once('/').unwrap();
        entries.contains(file) || entries.contains(&format!("{folder}/"))
    };
    let absent: Vec<&String> = files.iter().filter(|file| !covered(file)).collect();
    assert!(absent.is_empty(), "ARCHITECTURE.md has no line for {absent:#?}");
    let gone: Vec<&String> = entries.iter().filter(|entry| !root.join(entry).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what does not exist: {gone:#?}");
}

/// What stands in the running text, such as `core/src/run/drive.rs`, is there as well; `<op>` stands for any name.
#[test]
fn paths_in_the_text_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let folders =
        ["core/src/", "data/src/", "nerf/src/", "viewer/src/", "vision/src/", "src/", "docs/", "tests/"];
    let named = text.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = named
        .filter(|name| folders.iter().any(|f| name.starts_with(f)) && !name.contains(['<', ' ']))
        .collect();
    assert!(paths.len() > 15, "the text was found");
    let gone: Vec<&&str> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what does not exist: {gone:#?}");
}
