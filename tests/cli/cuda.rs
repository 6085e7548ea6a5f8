//! CUDA devices on the command line, on machines without any: what is missing is said, and nothing else changes.

use crate::program::{Place, event, events, stderr, stdout};
use nerve::core::gpu::cuda_devices;

/// Tests of what is said where there is no device have nothing to see beside one.
fn without_devices() -> bool {
    let none = cuda_devices().is_err();
    if !none {
        eprintln!("SKIPPED: this machine has a CUDA device");
    }
    none
}

#[test]
fn a_device_that_is_not_there_is_named_with_what_is_missing() {
    if !without_devices() {
        return;
    }
    let place = Place::with_scene(1);
    place.train(&["--steps", "2", "--out", "run", "--no-eval", "--device", "auto"]).success();
    for command in [
        &["train", "scene", "--steps", "2"][..],
        &["resume", "run", "--steps", "4"],
        &["eval", "run"],
        &["export", "run", "compact", "small"],
        &["compare", "scene", "--steps", "2"],
        &["inspect", "scene", "--quick"],
    ] {
        place.fails(
            &[command, &["--device", "cuda"]].concat(),
            &["'cuda:0'", "NVIDIA driver", "--device cpu"],
        );
    }
    assert!(!place.path("small").exists() && !place.path("runs").exists());
    place.run(&["eval", "run", "--device", "cpu"]).success();
}

#[test]
fn doctor_tells_what_of_cuda_is_missing() {
    if !without_devices() {
        return;
    }
    let place = Place::new();
    let said = stdout(&place.run(&["doctor"]).success());
    let line = said.lines().find(|line| line.starts_with("CUDA ")).unwrap();
    assert!(line.contains("NVIDIA driver"), "{line}");
    let told = events(&place.run(&["doctor", "--json"]).success());
    let cuda = &event(&told, "doctor")["cuda"];
    assert!(cuda["problem"].as_str().unwrap().contains("NVIDIA driver"), "{cuda}");
    assert_eq!((&cuda["needs_driver"], &cuda["needs_capability"]), (&"12.4".into(), &"8.0".into()));
    assert_eq!(cuda["devices"].as_array().unwrap().len(), 0);
}

#[test]
fn segmenters_say_that_they_run_on_the_cpu() {
    let place = Place::new();
    place.run(&["demo", "labels", "--labels"]).success();
    let refused = place.run(&["seg", "train", "labels", "--steps", "1", "--device", "cuda"]).code(2);
    let said = stderr(&refused);
    assert!(said.contains("segmenters run on the CPU") && said.contains("--device cpu"), "{said}");
}

#[test]
fn precision_that_is_not_given_is_the_devices() {
    let place = Place::with_scene(1);
    let config = || std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    place.train(&["--steps", "2", "--out", "run", "--no-eval", "--device", "cpu"]).success();
    assert!(!config().contains("precision"), "{}", config());

    // As earlier versions wrote it.
    let old = config().replace("[train]\n", "[train]\nprecision = \"f32\"\n");
    place.write("run/config.toml", &old);
    place.run(&["resume", "run", "--steps", "4", "--no-eval", "--device", "cpu"]).success();
    assert!(config().contains("precision = \"f32\""), "{}", config());

    let wrong = place.train(&["--steps", "2", "--precision", "f16", "--device", "cpu"]).code(2);
    let said = stderr(&wrong);
    assert!(said.contains("f32 on the CPU") && said.contains("--device cuda"), "{said}");
    place.write("run/config.toml", &config().replace("\"f32\"", "\"f16\""));
    place.fails(
        &["resume", "run", "--steps", "6", "--device", "cpu"],
        &["config.toml", "precision", "f32 on the CPU", "--device cuda"],
    );
    // Whoever only looks needs none.
    place.run(&["eval", "run", "--device", "cpu"]).success();
}
