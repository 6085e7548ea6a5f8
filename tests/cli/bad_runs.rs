//! Runs and checkpoints that are damaged, of something else, in use, or cannot be written.

use crate::program::{Place, SMALL, event, events, state, stderr, stdout};
use std::path::Path;

const TRAIN: [&str; 6] = ["train", "scene", "--steps", "2", "--no-eval", "--out"];

/// With a run of two steps in `run`.
fn trained() -> Place {
    let place = Place::with_scene(1);
    place.run(&[&TRAIN[..], &["run"], &SMALL].concat()).success();
    place
}

/// Replaces the first `from` in a file by as many bytes.
fn replace(file: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn runs_that_cannot_be_used() {
    let place = Place::with_scene(1);
    place.fails(&["resume", "absent"], &["absent", "does not exist", "nerve train"]);
    place.fails(&["eval", "scene"], &["scene", "no config.toml", "nerve train"]);
    let train = ["train", "scene", "--steps", "2", "--no-eval", "--out", "run"];
    place.run(&[&train[..], &SMALL].concat()).success();
    let checkpoint = place.path("run/checkpoint.safetensors");
    let bytes = std::fs::read(&checkpoint).unwrap();

    for damaged in [&bytes[..bytes.len() / 2], &bytes[..5], b"not a checkpoint at all"] {
        std::fs::write(&checkpoint, damaged).unwrap();
        let parts = ["run/checkpoint.safetensors", "not a complete safetensors file", "train again"];
        place.fails(&["resume", "run", "--steps", "4"], &parts);
        place.fails(&["eval", "run"], &parts);
    }
    std::fs::remove_file(&checkpoint).unwrap();
    place.fails(&["eval", "run"], &["run/checkpoint.safetensors", "nerve resume run"]);
    std::fs::write(&checkpoint, bytes).unwrap();

    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from));
        place.write("run/config.toml", &config.replace(from, to));
    };
    with("kind = \"nerf\"", "kind = \"seg\"");
    place.fails(&["resume", "run"], &["run/config.toml", "'seg'", "'nerf'"]);
    with("levels = 6", "levels = 7");
    place.fails(&["eval", "run"], &["run/checkpoint.safetensors", "config.toml"]);
    with("levels = 6", "levels = \"six\"");
    place.fails(&["eval", "run"], &["run/config.toml", "levels"]);
    with("downscale = 1", "downscalez = 1");
    let error = stderr(&place.run(&["eval", "run"]).code(1));
    assert!(error.lines().count() == 1 && error.contains("unknown field `downscalez`"), "{error}");
    assert!(error.contains("run/config.toml: ") && error.contains("correct it"), "{error}");
    with("levels = 6", "levels = ");
    place.fails(&["eval", "run"], &["run/config.toml: line ", "correct the file"]);
    with("width = 64", "width = 65");
    for command in [&["eval", "run"][..], &["resume", "run", "--steps", "3"]] {
        place.fails(command, &["run/config.toml: `width` is 65", "32 to 128"]);
    }
    with("\nlr = 0.01", "\nlr = nan");
    for command in [&["eval", "run"][..], &["resume", "run"], &["export", "run", "compact"]] {
        place.fails(command, &["run/config.toml: `lr` is NaN", "positive"]);
    }
    for learns in ["appearance", "refine_poses"] {
        with(&format!("{learns} = false"), &format!("{learns} = true"));
        place.fails(&["eval", "run"], &["run/checkpoint.safetensors", "no tensor", "config.toml"]);
    }
    place.write("run/config.toml", &config);
    for flag in [&["--flip"][..], &["--window", "64"], &["--scales", "1,2"]] {
        let error = stderr(&place.run(&[&["eval", "run"], flag].concat()).code(2));
        assert!(error.contains(flag[0]) && error.contains("no meaning for a radiance field"), "{error}");
    }
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    place.fails(&["eval", "run"], &["scene", "no such file or folder"]);
    let lines = events(&place.run(&["eval", "run", "--json"]).code(1));
    let said = event(&lines, "error")["message"].as_str().unwrap();
    assert!(said.contains("scene") && lines.last().unwrap()["event"] == "error", "{said}");
    for file in ["run/checkpoint.safetensors", "run/metrics.jsonl"] {
        place.fails(&["resume", file], &[file, "a file of the run run"]);
        place.fails(&["seg", "predict", file, "x.png"], &[file, "a file of the run run"]);
    }
}

#[test]
fn views_that_were_trained_on_are_not_measured_as_held_out() {
    let place = Place::with_scene(1);
    // A scene whose files give no split.
    let all = std::fs::read_to_string(place.path("scene/transforms_train.json")).unwrap();
    std::fs::remove_file(place.path("scene/transforms_train.json")).unwrap();
    std::fs::remove_file(place.path("scene/transforms_test.json")).unwrap();
    place.write("scene/transforms.json", &all);
    let trained = place.train(&["--steps", "2", "--holdout", "0", "--out", "run"]).success();
    assert!(stdout(&trained).contains("nerve eval run --split train"), "{}", stdout(&trained));
    place.run(&["eval", "run", "--split", "train"]).success();
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    place.write("run/config.toml", &config.replace("holdout = 0", "holdout = 3"));
    place.fails(&["eval", "run"], &["3 of the 3 test views were trained on", "`holdout`", "--split train"]);

    // A pose that changed since.
    place.write("run/config.toml", &config);
    let mut scene: serde_json::Value = serde_json::from_str(&all).unwrap();
    let height = scene["frames"][0]["transform_matrix"][2][3].as_f64().unwrap();
    scene["frames"][0]["transform_matrix"][2][3] = (height * 1.001).into();
    place.write("scene/transforms.json", &scene.to_string());
    place.fails(
        &["resume", "run", "--steps", "3"],
        &["run/checkpoint.safetensors", "r_0", "another pose or lens"],
    );
}

#[test]
fn changed_bits_and_other_versions_are_noticed() {
    let place = trained();
    let file = place.path("run/checkpoint.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&file, bytes).unwrap();
    let damaged = ["run/checkpoint.safetensors", "is damaged: its checksum", "train again"];
    place.fails(&["resume", "run", "--steps", "4"], &damaged);
    place.fails(&["eval", "run"], &[&damaged[..], &["tensor '"]].concat());
    std::fs::write(&file, &whole).unwrap();
    replace(&file, b"\"step\":\"2\"", b"\"step\":\"9\"");
    place.fails(&["eval", "run"], &[&damaged[..], &["its header"]].concat());
    for (version, remedy) in [("1", "use the version named in the run's config.toml"), ("3", "update nerve")]
    {
        std::fs::write(&file, &whole).unwrap();
        let to = format!("\"nerve_format_version\":\"{version}\"");
        replace(&file, b"\"nerve_format_version\":\"2\"", to.as_bytes());
        let parts = ["run/checkpoint.safetensors", &format!("format version is {version}"), remedy];
        place.fails(&["resume", "run"], &parts);
    }
    std::fs::write(&file, &whole).unwrap();
    place.run(&["resume", "run", "--steps", "4", "--no-eval"]).success();
}

#[test]
fn a_checkpoint_of_another_field_or_scene_is_noticed() {
    let place = trained();
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("finest_resolution")).unwrap();
    place.write("run/config.toml", &config.replace(line, "finest_resolution = 777"));
    let file = "run/checkpoint.safetensors";
    place.fails(
        &["eval", "run"],
        &[file, "another field", "grid.finest_resolution was", "777 in config.toml"],
    );
    place.write("run/config.toml", &config);

    // Of other views: it can be looked at, but not trained further.
    std::fs::remove_file(place.path("scene/train/r_2.png")).unwrap();
    place.fails(&["resume", "run", "--steps", "4"], &[file, "trained on 6 views", "others", "put them back"]);
    std::fs::remove_file(place.path("scene/train/r_3.png")).unwrap();
    std::fs::remove_file(place.path("scene/train/r_4.png")).unwrap();
    place.fails(
        &["resume", "run", "--steps", "4"],
        &[file, "trained on 6 views", "5 of them", "put them back"],
    );
    place.run(&["eval", "run"]).success();
    for split in ["train", "test"] {
        let name = format!("scene/transforms_{split}.json");
        let text = std::fs::read_to_string(place.path(&name)).unwrap();
        place.write(&name, &text.replacen('{', "{\"scale\": 0.2,", 1));
    }
    place.fails(&["eval", "run"], &[file, "another scene", "elsewhere in the unit cube"]);
}

#[test]
fn what_cannot_be_written_is_named_and_nothing_is_begun() {
    let place = trained();
    place.write("file", "mine");
    let before = |place: &Place| std::fs::read_dir(place.path(".")).unwrap().count();
    let entries = before(&place);
    for out in ["file", "file/run", "/proc/nerve", "/dev/full", "/dev/null/run"] {
        place.fails(&[&TRAIN[..], &[out], &SMALL].concat(), &[out]);
    }
    place.fails(&["demo", "file/scene"], &["file/scene"]);
    place.fails(
        &["export", "run", "compact", "absent/x.compact"],
        &["absent/x.compact", "make the folder absent"],
    );
    place.fails(&["export", "run", "compact", "file/x.compact"], &["file/x.compact", "give another FILE"]);
    place.write("runs", "a file where runs go");
    place.fails(&["train", "scene", "--steps", "2"], &["runs"]);
    std::fs::remove_file(place.path("runs")).unwrap();
    assert_eq!(before(&place), entries);
    assert_eq!(std::fs::read_to_string(place.path("file")).unwrap(), "mine");
    std::fs::remove_dir_all(place.path("run/renders")).unwrap();
    place.write("run/renders", "a file where pictures go");
    place.fails(&["eval", "run"], &["run/renders"]);
    assert!(!place.path("run/eval.json").exists());
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let place = trained();
    let file = place.path("run/checkpoint.safetensors");
    let before = std::fs::read(&file).unwrap();
    // A limit on the size of files, in units of 512 bytes or 1 KiB, stands for the disk; ignored, its signal becomes
    // an error.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let program = assert_cmd::cargo::cargo_bin("nerve");
    let run = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(program)
        .args(["resume", "run", "--steps", "6", "--no-eval"])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{error}");
    for part in
        ["run/checkpoint.safetensors", "cannot be saved", "previous checkpoint is untouched", "nerve resume"]
    {
        assert!(error.contains(part), "{part} in {error}");
    }
    let run = std::process::Command::new("sh")
        .args(["-c", &limited.replace("64", "8")])
        .arg(assert_cmd::cargo::cargo_bin("nerve"))
        .args(["export", "run", "compact", "--values", "f16", "small"])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{error}");
    assert!(error.contains("small") && error.contains("make room and export again"), "{error}");
    assert!(!error.contains("nerve resume") && !place.path("small").exists(), "{error}");
    assert!(std::fs::read(&file).unwrap() == before);
    let names = std::fs::read_dir(place.path("run")).unwrap().map(|e| e.unwrap().file_name());
    let torn: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
    assert!(torn.is_empty(), "{torn:?}");
    place.run(&["resume", "run", "--no-eval"]).success();
    let whole = ["train", "scene", "--steps", "6", "--no-eval", "--out", "whole"];
    place.run(&[&whole[..], &SMALL].concat()).success();
    assert!(
        state(&file) == state(&place.path("whole/checkpoint.safetensors")),
        "it ends as one never stopped"
    );
}

#[cfg(unix)]
#[test]
fn one_process_trains_a_run_and_a_killed_one_does_not_keep_it() {
    let place = Place::with_scene(1);
    let args = ["train", "scene", "--steps", "100000", "--no-eval", "--out", "run", "--save-every", "0.05"];
    let mut child = place.spawn(&[&args[..], &SMALL].concat());
    let start = std::time::Instant::now();
    while !place.path("run/checkpoint.safetensors").exists() {
        assert!(start.elapsed().as_secs() < 60 && child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let busy = ["run is being trained by another process", &format!("(id {})", child.id()), "--out"];
    place.fails(&["resume", "run"], &busy);
    place.fails(&[&TRAIN[..], &["run", "--overwrite"], &SMALL].concat(), &busy);
    assert!(stderr(&place.run(&[&TRAIN[..], &["run"], &SMALL].concat()).code(1)).contains("already holds"));
    // Looking at it is no harm.
    place.run(&["eval", "run"]).success();
    child.kill().unwrap();
    child.wait().unwrap();
    place.run(&["resume", "run", "--time", "1ms", "--no-eval"]).success();
    place.run(&[&TRAIN[..], &["run", "--overwrite"], &SMALL].concat()).success();
}

#[cfg(unix)]
#[test]
fn paths_that_are_no_utf8_or_lead_upwards() {
    use std::os::unix::ffi::OsStrExt;
    let place = trained();
    let odd = place.path(".").join(std::ffi::OsStr::from_bytes(b"sc\xff\xfene"));
    std::fs::rename(place.path("scene"), &odd).unwrap();
    let run = |args: &[&std::ffi::OsStr]| {
        assert_cmd::Command::cargo_bin("nerve").unwrap().args(args).current_dir(place.path(".")).assert()
    };
    let os = |text| std::ffi::OsStr::new(text);
    for command in ["train", "inspect", "eval", "resume"] {
        let error = stderr(&run(&[os(command), odd.as_os_str()]).code(2));
        assert!(error.contains("sc\u{fffd}\u{fffd}ne' is not UTF-8") && error.contains("rename"), "{error}");
    }
    // A folder above that is no text has no place in config.toml either.
    let inside =
        assert_cmd::Command::cargo_bin("nerve").unwrap().args(["train", "."]).current_dir(&odd).assert();
    assert!(stderr(&inside.code(1)).contains("not UTF-8"));
    assert!(!place.path("runs").exists() && !odd.join("runs").exists());
    std::fs::rename(&odd, place.path("scene")).unwrap();

    // Upwards is fine, and pictures stay in the run.
    let name = place.path(".").canonicalize().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let up = format!("../{name}/scene");
    let out = format!("../{name}/up");
    place.run(&[&["train", &up, "--out", &out, "--steps", "2"], &SMALL[..]].concat()).success();
    let text = std::fs::read_to_string(place.path("scene/transforms_test.json")).unwrap();
    place.write("scene/transforms_test.json", &text.replace("\"./test/", "\"../scene/./test/"));
    place.run(&["eval", "up"]).success();
    assert!(place.path("up/renders").read_dir().unwrap().count() >= 2);
    assert!(!place.path("up/scene").exists());
}
