//! What each subcommand does when all is well, and what it says.

use crate::program::{Place, SMALL, event, events, metric_steps, state, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeSet;

fn json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_run_from_train_to_eval() {
    let place = Place::with_scene(2);
    let trained = place.train(&["--steps", "60"]).success();
    let said = stdout(&trained);
    for part in [
        "scene scene: 6 train, 2 test views of 40x40",
        "step 60",
        "PSNR",
        "runs/scene",
        "nerve resume runs/scene",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(stderr(&trained).contains("rays/s"), "plain progress lines where there is no terminal");
    let run = place.path("runs/scene");
    assert_eq!(metric_steps(&run.join("metrics.jsonl")), [20, 40, 60]);
    let eval = json(&run.join("eval.json"));
    assert_eq!((&eval["split"], &eval["step"]), (&"test".into(), &60.into()));
    assert_eq!(eval["views"].as_array().unwrap().len(), 2);
    assert!(eval["psnr"].as_f64().unwrap() > 8.0, "{eval}");
    let files = std::fs::read_dir(run.join("renders")).unwrap().map(|e| e.unwrap().path());
    let pictures = files.filter(|f| f.extension().is_some_and(|e| e == "png")).count();
    assert_eq!(pictures, 3, "two views and the live cells");
    assert!(eval["fitted"].is_null());
    let fitted = stdout(&place.run(&["eval", "runs/scene", "--fit-poses"]).success());
    assert!(fitted.contains("from poses fitted to the photographs"), "{fitted}");
    let again = json(&run.join("eval.json"));
    assert!(again["fitted"].is_f64() && again["psnr"] == eval["psnr"], "{again}");
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let absolute = place.path("scene").canonicalize().unwrap();
    assert!(config.contains(absolute.to_str().unwrap()), "the scene's path is absolute: {config}");

    let again = place.run(&["eval", "runs/scene", "--split", "train", "--json"]).success();
    let again = events(&again);
    assert_eq!(again.iter().filter(|e| e["event"] == "view").count(), 6);
    assert_eq!(json(&run.join("eval.json"))["split"], "train");

    // The run's folder is taken: the next one gets a number.
    place.train(&["--steps", "1", "--no-eval"]).success();
    assert!(place.path("runs/scene-2/checkpoint.safetensors").exists());
    assert!(!place.path("runs/scene-2/eval.json").exists());
}

#[test]
fn resume_does_what_is_left_and_can_extend() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "30", "--out", "run"]).success();
    let nothing = place.run(&["resume", "run"]).success();
    assert!(stdout(&nothing).contains("nothing left to do"), "{}", stdout(&nothing));

    let extended = place.run(&["--json", "resume", "run", "--steps", "50"]).success();
    let extended = events(&extended);
    assert_eq!(event(&extended, "start")["step"], 30);
    assert_eq!(event(&extended, "summary")["step"], 50);
    assert_eq!(metric_steps(&place.path("run/metrics.jsonl")), [20, 30, 40, 50]);
    assert!(std::fs::read_to_string(place.path("run/config.toml")).unwrap().contains("steps = 50"));

    // From steps to time, and an evaluation that a kill has taken.
    let nothing = place.run(&["resume", "run", "--time", "1ms"]).success();
    assert!(stdout(&nothing).contains("nothing left"));
    std::fs::remove_file(place.path("run/eval.json")).unwrap();
    place.run(&["resume", "run"]).success();
    assert_eq!(json(&place.path("run/eval.json"))["step"], 50);
}

#[test]
fn a_run_that_was_never_saved_starts_over() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "40", "--out", "run", "--no-eval"]).success();
    let wanted = state(&place.path("run/checkpoint.safetensors"));
    std::fs::remove_file(place.path("run/checkpoint.safetensors")).unwrap();
    let resumed = place.run(&["resume", "run", "--no-eval"]).success();
    assert!(stderr(&resumed).contains("from the beginning"));
    assert!(state(&place.path("run/checkpoint.safetensors")) == wanted);
    assert_eq!(metric_steps(&place.path("run/metrics.jsonl")), [20, 40]);
}

#[test]
fn json_lines_tell_the_whole_story() {
    let place = Place::with_scene(2);
    let all = place.train(&["--steps", "40", "--eval-every", "20", "--json"]).success();
    assert!(stderr(&all).contains("trained"), "people still get their summary");
    let all = events(&all);
    let scene = event(&all, "scene");
    assert_eq!((&scene["train"], &scene["test"], &scene["sizes"][0][0]), (&6.into(), &2.into(), &40.into()));
    assert_eq!(event(&all, "start")["steps"], 40);
    let scalars: Vec<&Value> = all.iter().filter(|e| e["event"] == "scalars").collect();
    assert!(scalars.iter().any(|s| s["step"] == 40 && s["loss"].is_number() && s["rays_per_s"].is_number()));
    assert!(scalars.iter().any(|s| s["eval/psnr"].is_number()));
    let roles: BTreeSet<&str> =
        all.iter().filter(|e| e["event"] == "image").filter_map(|e| e["role"].as_str()).collect();
    assert_eq!(roles, BTreeSet::from(["error", "ground_truth", "prediction"]));
    assert_eq!(event(&all, "done")["reason"], "finished");
    let (eval, summary) = (event(&all, "eval"), event(&all, "summary"));
    assert_eq!(summary["psnr"], eval["psnr"]);
    assert_eq!(all.last(), Some(summary));
}

#[test]
fn flags_are_valid_in_any_position() {
    let place = Place::with_scene(1);
    let args = ["--out", "run", "--threads", "2", "train", "scene", "--device", "cpu", "--steps", "1"];
    let small = ["--log2-entries", "12", "--batch-samples", "1024", "--json", "--no-eval"];
    let summary = events(&place.run(&[&args[..], &small].concat()).success());
    assert_eq!(event(&summary, "summary")["run"], "run");
}

#[test]
fn an_existing_run_is_replaced_only_when_asked() {
    let place = Place::with_scene(1);
    let small = ["--steps", "2", "--no-eval", "--out", "run"];
    place.train(&small).success();
    let error = stderr(&place.train(&small).code(1));
    assert!(error.contains("run already holds config.toml"), "{error}");
    place.train(&[&small[..], &["--overwrite", "--seed", "7"]].concat()).success();
    let seed = |value: &str| {
        let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
        assert!(config.contains(&format!("seed = {value}")), "{config}");
    };
    seed("7");
    // The common flags stand before a command, too.
    let before =
        ["--out", "run", "train", "scene", "--steps", "2", "--no-eval", "--overwrite", "--seed", "8"];
    place.run(&[&before[..], &SMALL].concat()).success();
    seed("8");
}

#[test]
fn the_built_in_scene_is_the_written_one() {
    let place = Place::new();
    place.run(&["demo", "written"]).success();
    let train = |scene: &str, out: &str| {
        let small = ["--log2-entries", "12", "--batch-samples", "2048", "--levels", "6", "--max-images", "2"];
        let args =
            ["train", scene, "--out", out, "--steps", "40", "--downscale", "4", "--save-every", "0.05"];
        place.run(&[&args[..], &small].concat()).success();
        json(&place.path(out).join("eval.json"))
    };
    let (built_in, written) = (train("demo", "a"), train("written", "b"));
    // Poses differ in the last digits; see the crate's own test.
    let difference = built_in["psnr"].as_f64().unwrap() - written["psnr"].as_f64().unwrap();
    assert!(difference.abs() < 0.5, "{built_in} {written}");
    assert!(std::fs::read_to_string(place.path("a/config.toml")).unwrap().contains("scene = \"demo\""));
    // Such a run needs no file: another folder will do.
    place.run(&["eval", "a"]).success();
}

#[test]
fn inspect_reports_and_fails_on_unusable_scenes() {
    let place = Place::with_scene(2);
    let good = place.run(&["inspect", "scene"]).success();
    assert!(stdout(&good).contains("no problems found") && stdout(&good).contains("parameters"));
    let good = events(&place.run(&["inspect", "scene", "--json"]).success());
    assert_eq!(event(&good, "inspect")["report"]["views"]["train"], 8);
    assert!(event(&good, "inspect")["training_memory"]["parameters"].as_u64().unwrap() > 1 << 20);

    // All poses the same: nothing can be learned.
    let file = place.path("scene/transforms_train.json");
    let mut scene = json(&file);
    let same = scene["frames"][0]["transform_matrix"].clone();
    for name in ["transforms_train.json", "transforms_test.json"] {
        let file = place.path("scene").join(name);
        scene = json(&file);
        for frame in scene["frames"].as_array_mut().unwrap() {
            frame["transform_matrix"] = same.clone();
        }
        std::fs::write(file, scene.to_string()).unwrap();
    }
    let bad = place.run(&["inspect", "scene"]).code(1);
    assert!(stdout(&bad).contains("all poses are identical"), "{}", stdout(&bad));
}

#[test]
fn missing_images_are_named_and_left_out() {
    let place = Place::with_scene(1);
    for i in 0..4 {
        std::fs::remove_file(place.path(&format!("scene/train/r_{i}.png"))).unwrap();
    }
    let said = stdout(&place.train(&["--steps", "1", "--no-eval"]).success());
    assert!(said.contains("4 listed images are missing") && said.contains("train/r_0"), "{said}");
}

#[test]
fn doctor_tells_what_there_is() {
    let place = Place::new();
    let doctor = stdout(&place.run(&["doctor"]).success());
    for part in ["device", "cpu", "SIMD", "CUDA", "cores"] {
        assert!(doctor.contains(part), "{doctor}");
    }
    let lines = events(&place.run(&["doctor", "--json", "--threads", "2"]).success());
    assert_eq!((&event(&lines, "doctor")["device"], &lines[0]["threads"]), (&"cpu".into(), &2.into()));
    let cuda = place.run(&["doctor", "--device", "cuda:1"]).code(1);
    assert!(stdout(&cuda).contains("none: device 'cuda:1' was asked for"), "{}", stdout(&cuda));
}
