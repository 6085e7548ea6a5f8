//! Ctrl-C and SIGTERM.

use crate::program::{Place, SMALL, event, events, metric_steps, parse_events, state};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until `path` has some content.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while path.metadata().map_or(0, |meta| meta.len()) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn nobody_who_reads_ends_no_training() {
    let place = Place::with_scene(1);
    let run = |out: &str, flags: &[&str]| {
        let args = ["train", "scene", "--steps", "400", "--out", out, "--no-eval"];
        place.spawn(&[&args[..], &SMALL, flags].concat())
    };
    // Readers that have gone: everything that is said, diagnostics of all levels among it, goes nowhere.
    let mut gone = run("gone", &["-vv", "--json"]);
    drop((gone.stdout.take(), gone.stderr.take()));
    assert!(gone.wait().unwrap().success());
    // One that does not read: there are more lines than a pipe holds.
    let mut silent = run("silent", &["--json", "--eval-every", "4", "--save-every", "1e7"]);
    let pipe = silent.stdout.take().unwrap();
    assert!(silent.wait().unwrap().success());
    drop(pipe);
    let state = |out: &str| state(&place.path(out).join("checkpoint.safetensors")).1;
    assert!(state("gone") == state("silent"), "they learnt the same");
}

#[test]
fn resume_remembers_that_nothing_is_measured() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "2", "--out", "run", "--no-eval"]).success();
    place.run(&["resume", "run", "--steps", "4"]).success();
    assert!(!place.path("run/eval.json").exists());
    place.run(&["eval", "run"]).success();
    assert!(place.path("run/eval.json").exists());
}

#[test]
fn interrupted_training_is_saved_and_resumed() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "400", "--out", "whole", "--no-eval"]).success();
    let wanted = state(&place.path("whole/checkpoint.safetensors"));
    for name in ["-INT", "-TERM"] {
        let out = format!("run{name}");
        let args = ["train", "scene", "--steps", "400", "--out", &out, "--json", "--save-every", "0.05"];
        let child = place.spawn(&[&args[..], &SMALL].concat());
        wait_for(&place.path(&out).join("checkpoint.safetensors"));
        signal(&child, name);
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        assert_eq!(status.code(), Some(130), "{}", text(&stderr));
        assert!(text(&stderr).contains(&format!("nerve resume {out}")), "{}", text(&stderr));
        let said = parse_events(&text(&stdout));
        assert_eq!(event(&said, "summary")["reason"], "cancelled");
        assert_eq!(event(&said, "done")["reason"], "cancelled");
        let step = event(&said, "summary")["step"].as_u64().unwrap();
        assert!(step > 0 && step < 400, "stopped at {step}");

        let resumed = events(&place.run(&["resume", &out, "--json"]).success());
        assert_eq!(event(&resumed, "start")["step"], step);
        assert!(state(&place.path(&out).join("checkpoint.safetensors")) == wanted);
        let steps = metric_steps(&place.path(&out).join("metrics.jsonl"));
        assert!(steps.is_sorted_by(|a, b| a < b) && steps.contains(&step), "{steps:?}");
    }
}

#[test]
fn interrupted_evaluation_stops_after_the_view() {
    let place = Place::with_scene(60);
    place.train(&["--steps", "20", "--out", "run", "--no-eval"]).success();
    // All 60 views.
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    place.write("run/config.toml", &config.replace("max_images = 6\n", ""));
    let mut child = place.spawn(&["eval", "run", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("\"view\"") {}
    signal(&child, "-INT");
    let views = 1 + lines.count();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{error}");
    assert!(views < 60 && error.contains(&format!("after {views} of 60")), "{views} {error}");
    assert!(!place.path("run/eval.json").exists());
}

#[test]
fn interrupted_loading_leaves_nothing() {
    let place = Place::new();
    let mut child = place.spawn(&["train", "demo", "-vv"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("listening to signals") {}
    signal(&child, "-INT");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(!place.path("runs").exists());
}
