//! What the manifests promise about building: nothing twice, Rerun only where it is wanted, and quickly.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What `cargo tree` lists, a package a line as the format says.
fn tree(edges: &str, format: &str, more: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix=none", "--edges", edges, "--format", format])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

fn name(package: &str) -> &str {
    package.split(' ').next().unwrap()
}

/// The crates that the profile has settings for, each with its line.
fn profiled() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, section) = text.split_once("[profile.release.package]\n").unwrap();
    let section = section.split("\n[").next().unwrap();
    let settings = section.lines().filter_map(|line| line.split_once(" = "));
    settings.map(|(name, settings)| (name.to_owned(), settings.to_owned())).collect()
}

/// The commands of the README are `cargo run --release` and `cargo test --release --workspace`. The second would
/// build a dependency anew if the tests turned on a feature of it, or if the program needed it for build scripts only,
/// which have settings of their own.
#[test]
fn the_tests_build_no_dependency_of_the_program_anew() {
    let package_and_features = "{p} [{f}]";
    let program = tree("normal,build", package_and_features, &[]);
    let all = tree("all", package_and_features, &["--workspace"]);
    let known: BTreeSet<&str> = program.iter().map(|line| line.split(" [").next().unwrap()).collect();
    let of_both = |line: &&String| known.contains(line.split(" [").next().unwrap());
    let anew: Vec<&String> = all.iter().filter(of_both).filter(|line| !program.contains(*line)).collect();
    assert!(anew.is_empty(), "the tests turn on features of what the program is built with: {anew:#?}");
    assert!(all.iter().filter(of_both).count() > 100, "the trees were read");

    let run = tree("normal,no-proc-macro", "{p}", &[]);
    let tested = tree("normal,dev,no-proc-macro", "{p}", &["--workspace"]);
    let built = tree("normal,build", "{p}", &[]);
    let same: Vec<String> = profiled().into_iter().map(|(name, _)| name).collect();
    let anew: Vec<&String> = tested
        .iter()
        .filter(|package| built.contains(*package) && !run.contains(*package))
        .filter(|package| !same.iter().any(|same| same == name(package)))
        .collect();
    assert!(anew.is_empty(), "build scripts and tests both need these, with different settings: {anew:#?}");
}

#[test]
fn only_the_viewer_brings_rerun_and_what_is_built_quickly() {
    let without = tree("normal,build", "{p}", &["--no-default-features"]);
    let rerun: Vec<&String> =
        without.iter().filter(|package| package.starts_with("re_") || name(package) == "rerun").collect();
    assert!(rerun.is_empty(), "a build without viewer has {rerun:#?}");
    let with = tree("normal,build", "{p}", &[]);
    let of_rerun: BTreeSet<&str> = with.difference(&without).map(|package| name(package)).collect();
    assert!(of_rerun.contains("re_types_core"), "the viewer needs Rerun");
    for (name, settings) in profiled() {
        // Not of Rerun, but slow to build as well: color profiles of photographs, which nothing here converts.
        let may_be_slow = name == "moxcms" || of_rerun.contains(&*name);
        assert!(may_be_slow, "{name} has {settings}: it is not there, or not of the viewer alone");
    }
}
