//! Several dense tasks from the command line: data, train, resume, measure, predict, compare, and what cannot be.

use crate::program::{Place, event, events, stderr, stdout};
use serde_json::Value;

/// A training of seconds.
const SMALL: [&str; 10] =
    ["--crop", "32x32", "--batch", "2", "--head-width", "8", "--max-images", "4", "--warmup-steps", "1"];

/// With a small set in `scenes`.
fn place() -> Place {
    let place = Place::new();
    let said = stdout(&place.run(&["demo", "scenes", "--tasks", "6", "--resolution", "32"]).success());
    assert!(
        said.contains("6 training and 2 held-out") && said.contains("nerve tasks train scenes"),
        "{said}"
    );
    place
}

fn json(place: &Place, path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(place.path(path)).unwrap()).unwrap()
}

#[test]
fn from_scenes_to_predictions() {
    let place = place();
    let inspected = stdout(&place.run(&["inspect", "scenes"]).success());
    assert!(inspected.contains("normals") && inspected.contains("no problems found"), "{inspected}");
    let train = |method: &str, more: &[&str]| {
        // At one rate, which does not depend on how long a run is to be.
        let begin = ["tasks", "train", "scenes", "--method", method, "--lr-hold", "1"];
        place.run(&[&begin[..], &SMALL[..], more].concat())
    };
    let trained = train("polyhistor-lite", &["--steps", "3", "--out", "run"]).success();
    let said = stdout(&trained) + &stderr(&trained);
    for part in ["without --weights", "polyhistor-lite", "mean angle", "mIoU", "step 3, 6 pictures"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let eval = json(&place, "run/eval.json");
    assert_eq!((&eval["kind"], &eval["step"]), (&"tasks".into(), &3.into()));
    assert_eq!(eval["scores"].as_array().unwrap().len(), 6);
    assert_eq!(json(&place, "run/adapter.json")["model"]["method"], "polyhistor-lite");

    // Resumed to as many steps as another run took at once: the same bits.
    place.run(&["resume", "run", "--steps", "5", "--no-eval"]).success();
    train("polyhistor-lite", &["--steps", "5", "--no-eval", "--out", "whole"]).success();
    let adapter = |run: &str| std::fs::read(place.path(run).join("adapter.safetensors")).unwrap();
    assert!(adapter("run") == adapter("whole"));
    let measured = events(&place.run(&["--json", "tasks", "eval", "run", "--split", "train"]).success());
    assert_eq!(event(&measured, "eval")["images"], 4);

    place.run(&["tasks", "predict", "run", "scenes/images/val", "--out", "found"]).success();
    let all = nerve::data::labels::rgb(&place.path("found/0000_tasks.png")).unwrap();
    assert_eq!(all.dim(), (32, 7 * 32, 3));
    assert!(place.path("found/0001_depth.png").exists());
    // The adapter's two files are enough, where the backbone is the same.
    std::fs::create_dir(place.path("alone")).unwrap();
    for file in ["adapter.json", "adapter.safetensors"] {
        std::fs::copy(place.path("run").join(file), place.path("alone").join(file)).unwrap();
    }
    place.run(&["tasks", "predict", "alone", "scenes/images/val/0000.png"]).success();
    let picture = |path: &str| std::fs::read(place.path(path)).unwrap();
    assert!(picture("alone/predictions/0000_tasks.png") == picture("found/0000_tasks.png"));
    let text = std::fs::read_to_string(place.path("alone/adapter.json")).unwrap();
    place.write("alone/adapter.json", &text.replace("\"seed\": 0", "\"seed\": 7"));
    place.fails(
        &["tasks", "predict", "alone", "scenes/images/val/0000.png"],
        &["adapts another backbone", "--weights"],
    );
}

#[test]
fn methods_are_compared_in_shards() {
    let place = place();
    let compare = |shard: &str| {
        let flags =
            ["tasks", "compare", "scenes", "--methods", "single-full,lora", "--seeds", "0,1", "--steps", "2"];
        place.run(
            &[&flags[..], &SMALL[..], &["--tasks", "semseg,depth", "--shard", shard, "--out", "c"]].concat(),
        )
    };
    let first = compare("1/2").success();
    assert!(stderr(&first).contains("2 of 4 runs are done"), "{}", stderr(&first));
    let second = stdout(&compare("2/2").success());
    assert!(second.contains("single-full") && second.contains("+-"), "{second}");
    let csv = std::fs::read_to_string(place.path("c/runs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(std::fs::read_to_string(place.path("c/delta.svg")).unwrap().contains("lora"));
    // Nothing is trained twice.
    let again = compare("1/1").success();
    assert!(!stderr(&again).contains("run 1 of 4"), "{}", stderr(&again));
    place.fails(
        &[
            "tasks",
            "compare",
            "scenes",
            "--methods",
            "single-full,lora",
            "--seeds",
            "0,1",
            "--steps",
            "3",
            "--out",
            "c",
        ],
        &["other settings"],
    );
}

#[test]
fn what_cannot_be_is_told() {
    let place = place();
    let train =
        |more: &[&str]| place.run(&[&["tasks", "train", "scenes", "--steps", "1"], more].concat()).code(2);
    for (flags, parts) in [
        (&["--method", "polyhister"][..], "polyhistor-lite"),
        (&["--tasks", "height"], "there are semseg"),
        (&["--task-weights", "depth"], "TASK=WEIGHT"),
        (&["--batch", "1"], "2 to 1024"),
    ] {
        let said = stderr(&train(flags));
        assert!(said.contains(parts), "{flags:?}: {said}");
    }
    let shard = place.run(&["tasks", "compare", "scenes", "--shard", "3/2"]).code(2);
    assert!(stderr(&shard).contains("I from 1 to N"), "{}", stderr(&shard));
    place.fails(
        &["tasks", "train", "scenes", "--backbone", "vit-tiny", "--method", "relative-bias", "--steps", "1"],
        &["no tables of relative positions"],
    );
    std::fs::remove_dir_all(place.path("scenes/depth/train")).unwrap();
    place.fails(&["tasks", "train", "scenes", "--steps", "1"], &["depth/train", "no such folder"]);
    place.fails(&["tasks", "train", "nowhere", "--steps", "1"], &["nowhere", "no such folder"]);
    let methods = events(&place.run(&["--json", "tasks", "methods"]).success());
    assert!(methods.iter().any(|m| m["name"] == "shared-adapter" && m["one_pass"] == true));
}
