//! Classic fields, and layers of trained runs in other forms, from the command line.

use crate::program::{Place, event, events, stderr, stdout};
use serde_json::Value;

const CLASSIC: [&str; 16] = [
    "--method",
    "classic",
    "--octaves",
    "4",
    "--trunk-width",
    "32",
    "--trunk-layers",
    "4",
    "--skip",
    "2",
    "--view-width",
    "16",
    "--steps-per-unit",
    "128",
    "--batch-samples",
    "2048",
];

#[test]
fn a_classic_run_and_its_layers_in_other_forms() {
    let place = Place::with_scene(2);
    let common = ["--viewer", "off", "--threads", "2"];
    let train = [&["train", "scene"][..], &CLASSIC, &["--steps", "20", "--out", "run"], &common].concat();
    place.run(&train).success();
    let eugen = [&["train", "scene"][..], &CLASSIC, &["--eugen-layers", "trunk.0", "--eugen-features", "16"]]
        .concat();
    let trained = [&eugen[..], &["--steps", "4", "--out", "eugen", "--no-eval"], &common].concat();
    place.run(&trained).success();
    place.run(&["resume", "eugen", "--steps", "6", "--no-eval"]).success();

    let distill = ["distill", "run", "--layers", "trunk.0,trunk.3", "--m", "16", "--samples", "2048"];
    let read = events(&place.run(&[&distill[..], &["--out", "a", "--json"]].concat()).success());
    let report = event(&read, "distill");
    assert_eq!(report["layers"].as_array().unwrap().len(), 2);
    for layer in report["layers"].as_array().unwrap() {
        assert!(layer["error"].as_f64().unwrap() < 1.0, "{layer}");
        assert!(layer["products"][1].as_u64() < layer["products"][0].as_u64(), "{layer}");
    }
    let file = std::fs::read_to_string(place.path("a/distill.json")).unwrap();
    let saved: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(saved["whole"]["parameters"], report["whole"]["parameters"]);
    assert!(saved["whole"]["parameters"][1].as_u64() < saved["whole"]["parameters"][0].as_u64());
    let measured = events(&place.run(&["eval", "a", "--json"]).success());
    let (psnr, told) = (event(&measured, "eval")["psnr"].as_f64(), saved["whole"]["quality"][1].as_f64());
    assert!((psnr.unwrap() - told.unwrap()).abs() < 1e-6, "{psnr:?} {told:?}");

    let int8 = ["distill", "run", "--layers", "all", "--form", "int8", "--fine-tune", "3", "--out", "b"];
    let text = stdout(&place.run(&int8).success());
    assert!(text.contains("quality") && text.contains("step 23"), "{text}");

    let refused = |args: &[&str], parts: &[&str]| {
        let text = stderr(&place.run(args).code(2));
        assert!(parts.iter().all(|part| text.contains(part)), "{args:?}: {text}");
    };
    refused(&["distill", "run", "--layers", "trunk.9"], &["--layers is trunk.9", "trunk.0"]);
    refused(&["distill", "run", "--layers", "trunk.0", "--m", "7"], &["--m is 7"]);
    refused(&["distill", "run", "--layers", "trunk.0", "--k", "7"], &["--k is 7"]);
    refused(&["distill", "a", "--layers", "trunk.0"], &["already built otherwise"]);
    refused(&["train", "scene", "--octaves", "3"], &["--octaves", "--method classic"]);
    refused(&["train", "scene", "--method", "classic", "--levels", "3"], &["--levels", "classic field"]);
}
