//! What `inspect` finds in the images and the machine, and what `train` refuses by it.

use crate::program::{Place, event, events, stderr, stdout};
use assert_cmd::Command;
use std::fs;

#[test]
fn images_are_looked_at_unless_told_otherwise() {
    let place = Place::with_scene(2);
    let quick = stdout(&place.run(&["inspect", "scene", "--quick"]).success());
    assert!(!quick.contains("sharpness") && !quick.contains("time  "), "{quick}");
    fs::copy(place.path("scene/train/r_1.png"), place.path("scene/train/r_5.png")).unwrap();
    let picture = ["inspect", "scene", "--picture", "rig.svg", "--json"];
    let full = place.run(&picture).success();
    let text = stderr(&full);
    for part in [
        "sharpness",
        "exposure",
        "such as train/r_1 and train/r_5",
        "per 1000 steps",
        "rig.svg",
        "are available",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let all = events(&full);
    let inspect = event(&all, "inspect");
    let report = &inspect["report"];
    assert_eq!(report["pixels"]["images"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&report["rig"]["up_axis"][0], &report["registered"]),
        (&"+z".into(), &serde_json::Value::Null)
    );
    assert!(inspect["speed"]["seconds_per_step"].as_f64().unwrap() > 0.0);
    assert!(
        inspect["total_memory"].as_u64().unwrap()
            > inspect["training_memory"]["parameters"].as_u64().unwrap()
    );
    assert!(fs::read_to_string(place.path("rig.svg")).unwrap().contains("from above"));
    let error = stderr(&place.run(&["inspect", "scene", "--picture", "rig.png"]).code(2));
    assert!(error.contains(".svg"), "{error}");

    fs::write(
        place.path("scene/train/r_3.png"),
        &fs::read(place.path("scene/train/r_3.png")).unwrap()[..200],
    )
    .unwrap();
    let damaged = stdout(&place.run(&["inspect", "scene"]).code(1));
    assert!(damaged.contains("an image cannot be read") && damaged.contains("train/r_3.png"), "{damaged}");
}

#[test]
fn masks_and_depth_maps_are_looked_at() {
    let place = Place::with_scene(1);
    let file = place.path("scene/transforms_train.json");
    let mut scene: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for frame in scene["frames"].as_array_mut().unwrap() {
        frame["mask_path"] = "mask.png".into();
    }
    place.write("scene/transforms_train.json", &scene.to_string());
    let mask = place.path("scene/mask.png");
    fs::copy(place.path("scene/train/r_0.png"), &mask).unwrap();
    let run = place.run(&["inspect", "scene", "--json"]).success();
    assert!(stderr(&run).contains("8 with a mask") && stderr(&run).contains("masks        leave "), "{run}");
    let all = events(&run);
    let report = &event(&all, "inspect")["report"];
    let kept = report["decoded_masks"]["kept"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&kept) && report["decoded_masks"]["damaged"] == serde_json::json!([]));

    let training = ["train", "scene", "--steps", "1", "--masks", "empty", "--out", "empty"];
    place.run(&[&training[..], &crate::program::SMALL].concat()).success();
    let config = fs::read_to_string(place.path("empty/config.toml")).unwrap();
    assert!(config.contains("masks = \"empty\""), "{config}");
    place.write("empty/config.toml", &config.replace("masks = \"empty\"", "masks = \"ignore\""));
    place.fails(
        &["resume", "empty", "--steps", "2"],
        &["masks was \"empty\"", "empty/checkpoint.safetensors"],
    );

    fs::write(&mask, b"\x89PNG\r\n\x1a\n").unwrap();
    assert!(stdout(&place.run(&["inspect", "scene", "--quick"]).success()).contains("8 with a mask"));
    let torn = stdout(&place.run(&["inspect", "scene"]).code(1));
    assert!(
        torn.contains("8 masks or depth maps cannot be used") && torn.contains("scene/mask.png"),
        "{torn}"
    );
}

#[test]
fn a_training_that_does_not_fit_is_refused_with_what_does() {
    let place = Place::new();
    place.run(&["demo", "scene", "--resolution", "160", "--train", "8", "--test", "1"]).success();
    let all = events(&place.run(&["inspect", "scene", "--quick", "--json"]).success());
    let total = event(&all, "inspect")["total_memory"].as_u64().unwrap();
    let run = |args: &[&str], memory: u64| {
        let mut nerve = Command::cargo_bin("nerve").unwrap();
        nerve.args(args).current_dir(place.path(".")).env("NERVE_MEMORY", memory.to_string()).assert()
    };
    let train = ["train", "scene", "--steps", "1", "--no-eval"];
    let error = stderr(&run(&train, total - 1).code(1));
    assert!(error.contains("--downscale 2") && error.contains("are available"), "{error}");
    assert!(!place.path("runs").exists());
    run(&[&train[..], &["--downscale", "2"]].concat(), total - 1).success();
    let hopeless = stderr(&run(&train, 1_000_000).code(1));
    assert!(
        hopeless.contains("no --downscale is enough") && hopeless.contains("--log2-entries"),
        "{hopeless}"
    );
    // A run that goes on keeps its settings, and is refused before anything is loaded.
    run(&[&train[..], &["--out", "run"]].concat(), total).success();
    let resume = ["resume", "run", "--steps", "2", "--no-eval"];
    let error = stderr(&run(&resume, total - 1).code(1));
    for part in ["free memory", "NERVE_MEMORY", "a new run: use --downscale 2"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    run(&resume, total).success();
    let compare = ["compare", "scene", "--steps", "1", "--sizes", "10,19", "--out", "both"];
    let error = stderr(&run(&compare, total - 1).code(1));
    assert!(error.contains("--downscale 2") && !place.path("both").exists(), "{error}");
    // Inspecting warns and goes on.
    let warned = stdout(&run(&["inspect", "scene", "--quick"], total - 1).success());
    assert!(warned.contains("WARNING") && warned.contains("--downscale 2"), "{warned}");
}
