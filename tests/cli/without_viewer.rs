//! A build without the feature `viewer`: it says so where a viewer is asked for, and does everything else.

use crate::program::{Place, event, parse_events, stderr, stdout};

const REMEDY: &str = "this build has no viewer: build nerve with its default features";

#[test]
fn a_viewer_that_is_asked_for_is_refused_with_the_remedy() {
    let place = Place::new();
    for asked in ["spawn", "connect", "serve=9876", "save", "off,save"] {
        let said = stderr(&place.run(&["train", "demo", "--viewer", asked]).code(2));
        assert!(said.contains(REMEDY), "{asked}: {said}");
    }
    let said = stderr(&place.run(&["view", "runs/demo"]).code(1));
    assert!(said.contains(REMEDY) && said.contains("nerve eval runs/demo"), "{said}");
    place.write("a.rrd", "");
    let said = stderr(&place.run(&["view", "a.rrd"]).code(1));
    assert!(said.contains(REMEDY) && said.contains("rerun a.rrd"), "{said}");
}

#[test]
fn all_else_works() {
    let place = Place::with_scene(2);
    place.train(&["--steps", "60", "--out", "run", "--viewer", "off"]).success();
    place.run(&["resume", "run", "--steps", "80"]).success();
    place.run(&["eval", "run"]).success();
    assert!(place.path("run/renders").is_dir() && !place.path("run/recording.rrd").exists());
    let told = parse_events(&stdout(&place.run(&["doctor", "--json"]).success()));
    let doctor = event(&told, "doctor");
    assert_eq!(doctor["viewer"], serde_json::Value::Null);
    assert!(!doctor["features"].as_array().unwrap().iter().any(|f| f == "viewer"), "{doctor}");
}
