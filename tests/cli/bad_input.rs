//! What is wrong is said once, with the file and what to do: 2 for the command line, 1 for everything else.

use crate::program::{Place, SMALL, stderr};

#[test]
fn usage_errors_are_2() {
    let place = Place::new();
    for (args, part) in [
        (&["fly"][..], "unrecognized"),
        (&["train"], "<SCENE>"),
        (&["train", "x", "--steps", "9", "--time", "9s"], "--time"),
        (&["train", "x", "--steps", "0"], "at least 1"),
        (&["train", "x", "--time", "soon"], "90s"),
        (&["train", "x", "--width", "33"], "32 to 128"),
        (&["train", "x", "--levels", "40"], "1 to 32"),
        (&["train", "x", "--lr-hold", "2"], "between 0 and 1"),
        (&["train", "x", "--seed", "9223372036854775808"], "is not in"),
        (&["train", "x", "--save-every", "inf"], "--save-every"),
        (&["train", "x", "--downscale", "0"], "--downscale"),
        (&["train", "x", "--device", "gpu"], "cuda:N"),
        (&["train", "x", "--overwrite"], "--out"),
        (&["train", "x", "--threads", "5000"], "0 to 1024"),
        (&["eval", "x", "--split", "dev"], "train"),
        (&["doctor", "--out", "x"], "no meaning"),
        (&["demo", "x", "--resolution", "0"], "resolution"),
        (&["demo", "x", "--test", "0"], "test"),
    ] {
        let error = stderr(&place.run(args).code(2));
        assert!(error.starts_with("error: ") && error.contains(part), "{args:?}: {error}");
    }
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), 0, "nothing was made");
}

/// The error of a failed command, which must name `parts` and be said once.
fn failure(place: &Place, args: &[&str], parts: &[&str]) {
    let error = stderr(&place.run(args).code(1));
    assert_eq!(error.matches("error: ").count(), 1, "{error}");
    assert!(!error.contains("panicked") && !error.contains("backtrace"), "{error}");
    for part in parts {
        assert!(error.contains(part), "{args:?}: {part} in {error}");
    }
}

#[test]
fn scenes_that_cannot_be_read() {
    let place = Place::with_scene(1);
    failure(&place, &["train", "absent"], &["absent", "no such file or folder"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    failure(&place, &["train", "empty"], &["empty", "transforms_train.json"]);
    place.write("broken/transforms.json", "{\"frames\": [");
    failure(&place, &["train", "broken"], &["broken/transforms.json", "line 1"]);
    let good = std::fs::read_to_string(place.path("scene/transforms_train.json")).unwrap();
    for (name, bad) in [("nan", "NaN"), ("null", "null"), ("huge", "1e999")] {
        let at = good.find("transform_matrix").unwrap();
        let number = at + good[at..].find(|c: char| c.is_ascii_digit() || c == '-').unwrap();
        let end = number + good[number..].find([',', '\n']).unwrap();
        let file = format!("scene/{name}.json");
        place.write(&file, &format!("{}{bad}{}", &good[..number], &good[end..]));
        failure(&place, &["train", &file], &[&file]);
        failure(&place, &["inspect", &file], &[&file]);
    }
    std::fs::write(place.path("scene/train/r_3.png"), "not a picture").unwrap();
    failure(&place, &["train", "scene"], &["scene/train/r_3.png"]);
    failure(&place, &["train", "scene", "--device", "cuda"], &["cuda:0", "--device cpu"]);
    failure(&place, &["inspect", "demo"], &["nerve demo OUT"]);
    assert!(!place.path("runs").exists(), "no run was begun");
}

#[test]
fn runs_that_cannot_be_used() {
    let place = Place::with_scene(1);
    failure(&place, &["resume", "absent"], &["absent", "does not exist", "nerve train"]);
    failure(&place, &["eval", "scene"], &["scene", "no config.toml", "nerve train"]);
    let train = ["train", "scene", "--steps", "2", "--no-eval", "--out", "run"];
    place.run(&[&train[..], &SMALL].concat()).success();
    let checkpoint = place.path("run/checkpoint.safetensors");
    let bytes = std::fs::read(&checkpoint).unwrap();

    for damaged in [&bytes[..bytes.len() / 2], &bytes[..5], b"not a checkpoint at all"] {
        std::fs::write(&checkpoint, damaged).unwrap();
        let parts = ["run/checkpoint.safetensors", "not a complete safetensors file", "train again"];
        failure(&place, &["resume", "run", "--steps", "4"], &parts);
        failure(&place, &["eval", "run"], &parts);
    }
    std::fs::remove_file(&checkpoint).unwrap();
    failure(&place, &["eval", "run"], &["run/checkpoint.safetensors", "nerve resume run"]);
    std::fs::write(&checkpoint, bytes).unwrap();

    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from));
        place.write("run/config.toml", &config.replace(from, to));
    };
    with("kind = \"nerf\"", "kind = \"seg\"");
    failure(&place, &["resume", "run"], &["run/config.toml", "'seg'", "'nerf'"]);
    with("levels = 6", "levels = 7");
    failure(&place, &["eval", "run"], &["run/checkpoint.safetensors", "config.toml"]);
    with("levels = 6", "levels = \"six\"");
    failure(&place, &["eval", "run"], &["run/config.toml", "levels"]);
    with("width = 64", "width = 65");
    failure(&place, &["eval", "run"], &["--width", "32 to 128"]);
    place.write("run/config.toml", &config);
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    failure(&place, &["eval", "run"], &["scene", "no such file or folder"]);
}
