//! Segmenters from the command line: train, resume, measure, label, and what cannot be.

use crate::program::{Place, event, events, metric_steps, stderr, stdout};
use serde_json::Value;

/// A training of seconds.
const SMALL: [&str; 8] = ["--crop", "64x64", "--batch", "2", "--head-width", "16", "--max-images", "6"];

/// With the built-in label set in `labels`.
fn place() -> Place {
    let place = Place::new();
    let said = stdout(&place.run(&["demo", "labels", "--labels"]).success());
    assert!(said.contains("nerve seg train labels"), "{said}");
    place
}

fn train(place: &Place, more: &[&str]) -> assert_cmd::assert::Assert {
    place.run(&[&["seg", "train", "labels"], &SMALL[..], more].concat())
}

#[test]
fn from_labels_to_predictions() {
    let place = place();
    let inspected = place.run(&["inspect", "labels"]).success();
    assert!(stdout(&inspected).contains("triangle"), "{}", stdout(&inspected));

    let trained = train(&place, &["--steps", "20"]).success();
    let said = stdout(&trained);
    for part in ["mIoU", "triangle", "step 20, 40 pictures", "nerve seg predict runs/labels"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(stderr(&trained).contains("pictures/s"), "{}", stderr(&trained));
    let run = place.path("runs/labels");
    assert_eq!(metric_steps(&run.join("metrics.jsonl")), [10, 20, 20], "the evaluation's numbers too");
    let eval: Value = serde_json::from_str(&std::fs::read_to_string(run.join("eval.json")).unwrap()).unwrap();
    assert_eq!((&eval["split"], &eval["step"], &eval["images"]), (&"val".into(), &20.into(), &6.into()));

    let nothing = place.run(&["resume", "runs/labels"]).success();
    assert!(stdout(&nothing).contains("nothing left to do"), "{}", stdout(&nothing));
    let more = events(&place.run(&["--json", "resume", "runs/labels", "--steps", "24"]).success());
    assert_eq!((&event(&more, "start")["step"], &event(&more, "summary")["step"]), (&20.into(), &24.into()));

    let measured = place.run(&["eval", "runs/labels", "--split", "train", "--flip"]).success();
    // As many pictures as the run was given.
    let said = stdout(&measured);
    assert!(said.contains("outline") && said.contains("(6 pictures in"), "{said}");
    assert!(run.join("confusion.png").exists());
    let csv = std::fs::read_to_string(run.join("confusion.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7, "{csv}");

    let labelled =
        place.run(&["seg", "predict", "runs/labels", "labels/images/val", "--out", "found"]).success();
    assert!(stdout(&labelled).contains("24 of 24"), "{}", stdout(&labelled));
    let areas = std::fs::read_to_string(place.path("found/areas.json")).unwrap();
    let areas: Value = serde_json::from_str(&areas).unwrap();
    let shares = areas[0]["classes"].as_object().unwrap();
    let sum: f64 = shares.values().map(|class| class["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && place.path("found/legend.svg").exists());
}

#[test]
fn models_are_listed_and_cost_something() {
    let place = Place::new();
    let listed = events(&place.run(&["models", "--json"]).success());
    assert!(listed.iter().any(|e| e["name"] == "swin-tiny") && listed.len() > 20);
    let info = events(&place.run(&["seg", "info", "mit-b0", "--size", "64x96", "--json"]).success());
    let info = event(&info, "info");
    assert_eq!(
        (&info["parameters"], &info["outputs"][0]),
        (&3_319_392.into(), &serde_json::json!([16, 24, 32]))
    );
    place.fails(&["seg", "info", "swin-huge"], &["swin-huge", "nerve models"]);
}

#[test]
fn what_cannot_be_is_said() {
    let place = place();
    place.write("empty/note.txt", "nothing");
    place.write("weights.safetensors", "no weights");
    for (args, parts) in [
        (&["seg", "train", "nowhere", "--steps", "1"][..], &["nowhere"][..]),
        (&["seg", "train", "empty", "--steps", "1"], &["empty"]),
        (&["seg", "train", "labels", "--train-split", "night", "--steps", "1"], &["night", "train"]),
        (
            &["seg", "train", "labels", "--weights", "weights.safetensors", "--steps", "1"],
            &["weights.safetensors"],
        ),
        (&["seg", "predict", "nowhere", "labels/images/val"], &["nowhere"]),
        (&["seg", "predict", "runs/nowhere", "labels/images/val"], &["runs/nowhere: no such file or folder"]),
        (&["seg", "predict", "empty", "labels/images/val"], &["empty"]),
    ] {
        place.fails(args, parts);
    }
    for args in [["--crop", "5x5"], ["--scale-min", "2"], ["--dropout", "1"], ["--batch", "0"]] {
        let run = place.run(&[&["seg", "train", "labels", "--steps", "1"], &args[..]].concat());
        assert_eq!(run.get_output().status.code(), Some(2), "{args:?}: {}", stderr(&run));
    }
    assert!(!place.path("runs").exists(), "nothing was begun");
    train(&place, &["--steps", "2", "--no-eval", "--out", "run"]).success();
    place.fails(&["export", "run", "compact"], &["segmenter"]);
    let info = place.run(&["seg", "info", "run"]).success();
    assert!(stdout(&info).contains("backbone") && stdout(&info).contains("head"), "{}", stdout(&info));
    std::fs::write(place.path("run/checkpoint.safetensors"), "cut").unwrap();
    place.fails(&["resume", "run", "--steps", "4"], &["checkpoint.safetensors"]);
}
