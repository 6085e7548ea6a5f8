//! Bare photos: a shell script stands for COLMAP, and knows the answer.

use crate::program::{Place, SMALL, event, parse_events, stderr, stdout};
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use nerve_data::scene::{self, LoadOptions};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// What the script says before it leaves the model that was prepared.
const GOOD: &str = r#"
feature_extractor) for i in 1 2 3 4 5 6 7 8; do echo "Processed file [$i/8]"; done;;
exhaustive_matcher) echo "Matching block [1/1, 1/1] in 0.1s";;
mapper) echo "Registering image #1 (7)"; mkdir -p "$output/0"; cp model/* "$output/0";;
"#;

/// Eight photos in `trip`, the model of seven of them in `model`, and a COLMAP that does as `commands` say.
fn place(commands: &str) -> Place {
    let place = Place::with_scene(1);
    let scene = scene::load(&place.path("scene"), &LoadOptions::default()).unwrap();
    fs::create_dir(place.path("trip")).unwrap();
    fs::create_dir(place.path("model")).unwrap();
    let train: Vec<_> = scene.splits.train.iter().map(|&i| &scene.views[i]).collect();
    for (i, view) in train.iter().enumerate() {
        fs::copy(&view.path, place.path(&format!("trip/{i}.png"))).unwrap();
    }
    let k = &train[0].camera.intrinsics;
    // PINHOLE is model 1.
    let mut cameras = [&1u64.to_le_bytes()[..], &1u32.to_le_bytes(), &1i32.to_le_bytes()].concat();
    cameras.extend([u64::from(k.width), u64::from(k.height)].map(u64::to_le_bytes).concat());
    cameras.extend([k.fx, k.fy, k.cx, k.cy].map(f64::to_le_bytes).concat());
    let mut images = 7u64.to_le_bytes().to_vec();
    for (i, view) in train.iter().enumerate().take(7) {
        // World to camera, with y down and z forward: half a turn about x.
        let pose = view.camera.pose.inverse();
        let (q, t) = (pose.rotation, pose.translation.vector);
        images.extend((i as u32 + 1).to_le_bytes());
        images.extend([-q.i, q.w, -q.k, q.j, t.x, -t.y, -t.z].map(f64::to_le_bytes).concat());
        images.extend(1u32.to_le_bytes());
        images.extend(format!("{i}.png\0").bytes());
        images.extend(0u64.to_le_bytes());
    }
    for (name, bytes) in [("cameras", cameras), ("images", images), ("points3D", 0u64.to_le_bytes().to_vec())]
    {
        fs::write(place.path(&format!("model/{name}.bin")), bytes).unwrap();
    }
    script(&place, commands);
    place
}

fn script(place: &Place, commands: &str) {
    let text = format!(
        r#"#!/bin/sh
if [ "$1" = help ]; then echo "COLMAP 3.8 -- Structure-from-Motion"; exit 0; fi
if [ "$2" = --help ]; then echo "  --SiftExtraction.use_gpu arg (=1)"; exit 0; fi
command=$1
while [ $# -gt 0 ]; do case "$1" in --output_path) output=$2;; esac; shift; done
case "$command" in {commands} esac
"#
    );
    place.write("bin/colmap", &text);
    fs::set_permissions(place.path("bin/colmap"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// With the script before everything else on the PATH, or with nothing on it.
fn path(place: &Place, colmap: bool) -> String {
    if colmap {
        format!("{}:/usr/bin:/bin", place.path("bin").display())
    } else {
        place.path("scene").display().to_string()
    }
}

fn run(place: &Place, colmap: bool, args: &[&str]) -> Assert {
    let mut nerve = Command::cargo_bin("nerve").unwrap();
    nerve.args(args).current_dir(place.path(".")).env("PATH", path(place, colmap)).assert()
}

#[test]
fn photos_end_in_a_trained_scene() {
    let place = place(GOOD);
    let train = [&["train", "trip", "--steps", "20"], &SMALL[..]].concat();
    let first = run(&place, true, &train).success();
    let said = stdout(&first);
    for part in ["poses 7 of 8 photos, by COLMAP: runs/colmap/trip", "scene trip: ", "PSNR", "runs/trip"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let config = fs::read_to_string(place.path("runs/trip/config.toml")).unwrap();
    assert!(config.contains("runs/colmap/trip"), "what was trained on is the work folder: {config}");
    assert_eq!(fs::read_dir(place.path("trip")).unwrap().count(), 8, "nothing is written among the photos");

    // Without COLMAP, by now.
    let again = run(&place, false, &[&train[..], &["--json", "--no-eval"]].concat()).success();
    let again = parse_events(&stdout(&again));
    assert_eq!(
        (&event(&again, "poses")["registered"], &event(&again, "poses")["reused"]),
        (&7.into(), &true.into())
    );
    run(&place, false, &["eval", "runs/trip"]).success();
    let inspected = stdout(&run(&place, false, &["inspect", "runs/colmap/trip", "--quick"]).success());
    for part in ["COLMAP", "placed       7 of 8 photos", "have no pose: 7.png"] {
        assert!(inspected.contains(part), "{part} in {inspected}");
    }

    let beside =
        run(&place, true, &[&train[..], &["--out", "elsewhere/run", "--json", "--no-eval"]].concat())
            .success();
    let beside = parse_events(&stdout(&beside));
    assert_eq!(event(&beside, "poses")["folder"], "elsewhere/colmap/trip");
    assert!(beside.iter().any(|e| e["event"] == "colmap" && e["step"] == "mapping" && e["done"] == 7));
}

#[test]
fn without_colmap_the_way_is_shown() {
    let place = place(GOOD);
    for args in [&["train", "trip"][..], &["train", "trip", "--matching", "sequential"]] {
        let error = stderr(&run(&place, false, args).code(1));
        for part in [
            "trip",
            "apt install colmap",
            "colmap feature_extractor",
            "colmap mapper",
            "nerve train runs/colmap/trip",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert_eq!(error.matches("error: ").count(), 1, "{error}");
        assert_eq!(error.contains("sequential_matcher"), args.len() > 2, "{error}");
    }
    assert!(!place.path("runs").exists());
    let inspected = stdout(&run(&place, false, &["inspect", "trip"]).success());
    for part in ["bare photos", "8, all of 40x40", "sharpness", "apt install colmap"] {
        assert!(inspected.contains(part), "{part} in {inspected}");
    }
    let found = stdout(&run(&place, true, &["inspect", "trip", "--quick"]).success());
    assert!(found.contains("3.8") && found.contains("nerve train trip"), "{found}");
}

#[test]
fn videos_and_pictures_of_other_kinds_are_told_how_to_become_photos() {
    let place = Place::new();
    std::fs::write(place.path("my clip.mp4"), b"\0\0\0\x18ftypisom\0\0\0\0").unwrap();
    for command in ["train", "inspect"] {
        let error = stderr(&place.run(&[command, "my clip.mp4"]).code(1));
        for part in ["a video", "ffmpeg -i 'my clip.mp4'", "nerve train 'my clip'"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    for i in 0..5 {
        place.write(&format!("phone/IMG_{i}.HEIC"), "\0\0\0\x18ftypheic\0\0\0\0");
    }
    let error = stderr(&place.run(&["train", "phone"]).code(1));
    assert!(error.contains("IMG_0.HEIC") && error.contains("heif-convert"), "{error}");
}

#[test]
fn what_colmap_cannot_place_is_said() {
    let failing = place("mapper) echo 'E1 sfm.cc:9] failed to create sparse model'; exit 1;;");
    let error = stderr(&run(&failing, true, &["train", "trip"]).code(1));
    assert!(
        error.contains("none of the 8 photos") && error.contains("overlap") && error.contains("log.txt"),
        "{error}"
    );
    // The steps before it are not done again.
    script(&failing, &format!("feature_extractor) exit 9;;\n{}", GOOD.replace("feature_extractor", "never")));
    let fixed = run(&failing, true, &[&["train", "trip", "--steps", "1", "--no-eval"], &SMALL[..]].concat());
    assert!(stdout(&fixed.success()).contains("7 of 8 photos"));
    // A work folder's name that is taken by something else.
    fs::create_dir_all(failing.path("x/colmap/trip")).unwrap();
    let steps = ["train", "trip", "--steps", "1", "--no-eval", "--out", "x/run"];
    assert!(stdout(&run(&failing, false, &["inspect", "trip"]).success()).contains("bare photos"));
    script(&failing, GOOD);
    run(&failing, true, &[&steps[..], &SMALL].concat()).success();
    assert!(failing.path("x/colmap/trip-2/sparse/0/images.bin").exists());
}

#[test]
fn interrupting_colmap_stops_it_and_keeps_its_work() {
    let place = place("feature_extractor) echo 'Processed file [1/8]'; touch begun; sleep 60;;");
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("nerve"))
        .args(["train", "trip"])
        .current_dir(place.path("."))
        .env("PATH", path(&place, true))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    while !place.path("begun").exists() {
        assert!(started.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("the same command continues from runs/colmap/trip"), "{error}");
    assert!(started.elapsed().as_secs() < 50);
    assert!(place.path("runs/colmap/trip/state.json").exists() && !place.path("runs/trip").exists());
}
