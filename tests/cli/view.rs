//! `nerve view`: what it opens, and the recordings that it writes.

use crate::program::{Place, SMALL, stderr, stdout};
use nerve::viewer::{FileState, contents};
use std::path::Path;

/// With a run of 40 steps in `run`.
fn trained() -> Place {
    let place = Place::with_scene(2);
    place.train(&["--steps", "40", "--out", "run", "--no-eval"]).success();
    place
}

fn rows(path: &Path) -> usize {
    contents(path).unwrap().entities["/numbers/loss"].rows
}

#[test]
fn a_run_a_checkpoint_and_a_compact_file_are_written_as_recordings() {
    let place = trained();
    place.run(&["export", "run", "compact", "small"]).success();
    std::fs::copy(place.path("run/checkpoint.safetensors"), place.path("alone")).unwrap();
    for (what, recording) in [
        ("run", "run/recording.rrd"),
        ("run/checkpoint.safetensors", "run/recording.rrd"),
        ("small", "small.rrd"),
        ("alone", "alone.rrd"),
    ] {
        let said = stdout(&place.run(&["view", what, "--viewer", "save"]).success());
        assert!(said.contains(&format!("wrote {recording}")), "{said}");
        let found = contents(&place.path(recording)).unwrap();
        for entity in ["/views/r_0/rendering", "/views/r_1/depth", "/world/cells/occupancy/0"] {
            assert!(found.entities.contains_key(entity), "{what}: {entity}: {:#?}", found.entities.keys());
        }
    }
    assert_eq!(rows(&place.path("run/recording.rrd")), 2);
    // Elsewhere: of a run that has a recording, of one that has none, of a recording.
    place.run(&["view", "run", "--viewer", "save=a.rrd"]).success();
    std::fs::remove_file(place.path("run/recording.rrd")).unwrap();
    place.run(&["view", "run", "--viewer", "save=b.rrd"]).success();
    assert!(!place.path("run/recording.rrd").exists());
    place.run(&["view", "b.rrd", "--viewer", "save=c.rrd"]).success();
    for file in ["a.rrd", "b.rrd", "c.rrd"] {
        assert_eq!(
            (rows(&place.path(file)), FileState::of(&place.path(file)).unwrap()),
            (2, FileState::Whole)
        );
    }
    place.write("notes", "mine");
    place.fails(&["view", "run", "--viewer", "save=notes"], &["notes", "is not overwritten"]);
    place.fails(&["view", "notes"], &["notes", "neither a recording", "compact file", "run's folder"]);
    assert_eq!(std::fs::read_to_string(place.path("notes")).unwrap(), "mine");
}

/// A recording appears when it is whole, and one that was cut off is made again.
#[test]
fn what_is_left_of_a_recording_is_not_shown_as_one() {
    let place = trained();
    place.run(&["view", "run", "--viewer", "save"]).success();
    let file = place.path("run/recording.rrd");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(FileState::of(&file).unwrap(), FileState::CutOff);
    let said = stderr(&place.run(&["view", "run", "--viewer", "save"]).success());
    assert!(said.contains("run/recording.rrd: it was cut off"), "{said}");
    assert_eq!((rows(&file), FileState::of(&file).unwrap()), (2, FileState::Whole));

    // On a disk that fills up, and one where the folder is gone, it says so and leaves nothing.
    std::fs::remove_file(&file).unwrap();
    place.fails(
        &["view", "run", "--viewer", "save=absent/a.rrd"],
        &["absent/a.rrd", "cannot be written", "save=FILE"],
    );
    #[cfg(unix)]
    {
        let run = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
            .arg(assert_cmd::cargo::cargo_bin("nerve"))
            .args(["view", "run", "--viewer", "save"])
            .current_dir(place.path("."))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{error}");
        assert!(error.contains("run/recording.rrd") && error.contains("make room"), "{error}");
        assert!(!error.contains("training continues"), "{error}");
        let left: Vec<_> =
            std::fs::read_dir(place.path("run")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains(".rrd")), "{left:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_view_leaves_nothing() {
    let place = Place::with_scene(60);
    place
        .run(&[&["train", "scene", "--steps", "20", "--out", "run", "--no-eval"], &SMALL[..6]].concat())
        .success();
    let child = place.spawn(&["view", "run", "--viewer", "save"]);
    let part = place.path(&format!("run/.recording.rrd.{}-0.tmp", child.id()));
    let start = std::time::Instant::now();
    // Its first bytes are written when signals are awaited.
    while part.metadata().map_or(0, |about| about.len()) == 0 {
        assert!(start.elapsed().as_secs() < 60, "{} does not appear", part.display());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!part.exists() && !place.path("run/recording.rrd").exists());
}
