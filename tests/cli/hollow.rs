//! HollowNeRF from the command line: training, the compact file, the comparison.

use crate::program::{Place, SMALL, event, events, stderr, stdout};
use serde_json::Value;

fn json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_hollow_run_from_training_to_its_compact_file() {
    let place = Place::with_scene(2);
    let hollow = ["--method", "hollow", "--saliency-side", "16", "--steps", "120", "--out", "run", "--json"];
    let trained = events(&place.train(&hollow).success());
    let scalars = trained.iter().rev().find(|e| e["event"] == "scalars").unwrap();
    for name in ["mean", "gamma", "closed_share", "live_share"] {
        assert!(scalars[format!("saliency/{name}")].is_number(), "{name} in {scalars}");
    }
    let histogram = event(&trained, "histogram");
    let counts = histogram["counts"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 16 * 16 * 16);
    let log = std::fs::read_to_string(place.path("run/metrics.jsonl")).unwrap();
    assert!(log.contains("\"histogram\":\"saliency/p\""));
    let eval = json(&place.path("run/eval.json"));
    assert!(
        eval["field"]["saliency"]["mean"].is_number() && eval["field"]["live_share"].is_number(),
        "{eval}"
    );
    place.fails(&["eval", "run", "--fit-poses"], &["--fit-poses", "saliency grid"]);
    assert_eq!(eval["field"]["collisions"].as_array().unwrap().len(), 6);
    for picture in ["saliency.png", "live_cells.png", "collisions.svg"] {
        assert!(place.path("run/renders").join(picture).exists(), "{picture}");
    }

    let exported = place.run(&["export", "run", "compact"]).success();
    assert!(stdout(&exported).contains("wrote run/run.compact"), "{}", stdout(&exported));
    let size = |name: &str| place.path(name).metadata().unwrap().len();
    assert!(size("run/run.compact") < size("run/checkpoint.safetensors") / 5);
    let read = events(&place.run(&["eval", "run/run.compact", "--json"]).success());
    let (psnr, small) = (eval["psnr"].as_f64().unwrap(), event(&read, "eval")["psnr"].as_f64().unwrap());
    assert!((psnr - small).abs() < 0.5, "{psnr} {small}");
    assert_eq!(json(&place.path("run/run.compact.eval/eval.json"))["psnr"], small);

    std::fs::write(place.path("broken"), &std::fs::read(place.path("run/run.compact")).unwrap()[..999])
        .unwrap();
    let broken = stderr(&place.run(&["eval", "broken"]).code(1));
    assert!(broken.contains("broken"), "{broken}");
    // A checkpoint stands for its run.
    let read = events(&place.run(&["eval", "run/checkpoint.safetensors", "--json"]).success());
    assert_eq!(event(&read, "eval")["psnr"], psnr);
    place.run(&["export", "scene", "compact"]).code(1);
    let loss = stderr(&place.run(&["export", "run", "compact", "--loss-db=-1"]).code(2));
    assert!(loss.contains("--loss-db"), "{loss}");
}

#[test]
fn a_comparison_goes_on_where_it_was() {
    let place = Place::with_scene(1);
    let base =
        [&["compare", "scene"], &SMALL[2..], &["--saliency-side", "16", "--out", "cmp", "--steps", "8"]]
            .concat();
    let first = [&base[..], &["--sizes", "8", "--seeds", "0,1"]].concat();
    let said = stdout(&place.run(&first).success());
    assert!(said.contains("2^8") && said.contains("(2 pairs)"), "{said}");
    let rows = || std::fs::read_to_string(place.path("cmp/runs.csv")).unwrap();
    let before = rows();
    assert_eq!(before.lines().count(), 5, "{before}");
    // One more size: what is there is taken as it is.
    let more = [&base[..], &["--sizes", "8,9", "--seeds", "0,1", "--json"]].concat();
    let more = events(&place.run(&more).success());
    assert_eq!(more.iter().filter(|e| e["event"] == "start").count(), 4);
    assert_eq!(event(&more, "compare")["lines"].as_array().unwrap().len(), 2);
    assert!(before.lines().all(|line| rows().contains(line)));
    let svg = std::fs::read_to_string(place.path("cmp/psnr.svg")).unwrap();
    assert_eq!(svg.matches("<circle").count(), 8);
    assert!(place.path("cmp/collisions.svg").exists());
    // Someone has looked at the training views meanwhile: that is not what is compared.
    place.run(&["eval", "cmp/runs/scene-9-plain-1", "--split", "train"]).success();
    let again = [&base[..], &["--sizes", "8,9", "--seeds", "0,1"]].concat();
    place.run(&again).success();
    assert_eq!(json(&place.path("cmp/runs/scene-9-plain-1/eval.json"))["split"], "test");
    for wrong in [["--seeds", "0,0"], ["--seed", "4"], ["--method", "hollow"], ["--sizes", "9,9"]] {
        let said = stderr(&place.run(&[&base[..], &wrong[..]].concat()).code(2));
        assert!(said.contains(wrong[0]), "{said}");
    }
    let missing = stderr(&place.run(&[&base[..], &["--also", "nowhere"]].concat()).code(1));
    assert!(missing.contains("nowhere"), "{missing}");
    // Other settings in the same folder are a mistake.
    let other = [&base[..], &["--sizes", "8", "--seeds", "0", "--lr", "0.02"]].concat();
    let said = stderr(&place.run(&other).code(1));
    assert!(said.contains("other settings") && said.contains("config.toml"), "{said}");
    // A run that was begun and never saved is begun again.
    std::fs::remove_file(place.path("cmp/runs/scene-9-hollow-1/checkpoint.safetensors")).unwrap();
    std::fs::remove_file(place.path("cmp/runs/scene-9-hollow-1/eval.json")).unwrap();
    let again = [&base[..], &["--sizes", "8,9", "--seeds", "0,1", "--json"]].concat();
    let again = events(&place.run(&again).success());
    assert_eq!(again.iter().filter(|e| e["event"] == "start").count(), 1);
}

#[test]
fn settings_that_cannot_be_are_usage_errors() {
    let place = Place::with_scene(1);
    for (flag, value) in [
        ("--saliency-side", "20"),
        ("--saliency-share", "1.5"),
        ("--rho", "-1"),
        ("--saliency-travel", "0"),
        ("--alpha", "inf"),
        ("--steer-from", "2"),
    ] {
        let said =
            stderr(&place.train(&["--steps", "1", "--method", "hollow", &format!("{flag}={value}")]).code(2));
        assert!(said.contains(flag), "{said}");
    }
}
