//! Runs whose scene is gone: what can be done with them, and what they say about the rest.

use crate::program::{Place, event, events, stdout};

#[test]
fn a_run_without_its_scene_is_exported_and_says_what_an_evaluation_needs() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "60", "--out", "run"]).success();
    place.run(&["export", "run", "compact", "before"]).success();
    std::fs::rename(place.path("scene"), place.path("moved")).unwrap();

    let exported = stdout(&place.run(&["export", "run", "compact", "after"]).success());
    assert!(exported.contains("wrote after"), "{exported}");
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("before") == bytes("after"), "the scene makes no difference to what is exported");

    let missing = ["photographs", "/scene", "no such file or folder", "put the scene back"];
    place.fails(
        &["eval", "run"],
        &[&missing[..], &["run/checkpoint.safetensors", "run/config.toml"]].concat(),
    );
    place.fails(&["eval", "after"], &[&missing[..], &["nerve eval after --scene PATH"]].concat());
    place.fails(
        &["resume", "run", "--steps", "70"],
        &["/scene", "no such file or folder", "put the scene back", "run/config.toml"],
    );

    // As it says.
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("scene = ")).unwrap();
    let moved = place.path("moved").canonicalize().unwrap();
    place.write("run/config.toml", &config.replace(line, &format!("scene = {moved:?}")));
    let psnr = |what: &str| {
        let told = events(&place.run(&["eval", what, "--json"]).success());
        event(&told, "eval")["psnr"].as_f64().unwrap()
    };
    let run = psnr("run");
    // As a program leaves it that has trained on a scene of its own.
    let text = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    place.write("run/config.toml", &text.replace(&format!("scene = {moved:?}"), "scene = \"\""));
    place.fails(&["eval", "run"], &["named no scene", "`demo`", "set `scene` in run/config.toml"]);
    let told = events(&place.run(&["eval", "after", "--scene", "moved", "--json"]).success());
    let elsewhere = event(&told, "eval")["psnr"].as_f64().unwrap();
    std::fs::rename(place.path("moved"), place.path("scene")).unwrap();
    let file = psnr("after");
    assert_eq!(elsewhere, file);
    assert!((run - file).abs() < 0.5, "{run} {file}");
}

/// A checkpoint stands for its run, or, away from it, for its field, as a compact file does.
#[test]
fn a_run_opens_from_its_checkpoint_and_from_a_compact_file() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "60", "--out", "run", "--no-eval"]).success();
    place.run(&["eval", "run/checkpoint.safetensors"]).success();
    assert!(place.path("run/eval.json").exists());
    place.run(&["export", "run", "compact", "from_run"]).success();
    place.run(&["export", "run/checkpoint.safetensors", "compact", "from_checkpoint"]).success();
    std::fs::copy(place.path("run/checkpoint.safetensors"), place.path("alone.safetensors")).unwrap();
    place.run(&["export", "alone.safetensors", "compact"]).success();
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("from_run") == bytes("from_checkpoint"));
    // A checkpoint keeps the configuration with what the trainer decided; all that was learned is the same.
    let tensors = |name: &str| {
        let file = bytes(name);
        let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        file[8 + header..].to_vec()
    };
    assert!(tensors("from_run") == tensors("alone.compact"));
    place.run(&["eval", "alone.safetensors"]).success();
    assert!(place.path("alone.safetensors.eval/eval.json").exists());
    place.fails(&["export", "from_run", "compact", "again"], &["from_run", "a compact file already"]);
    let said = stdout(&place.run(&["export", "run", "compact"]).success());
    assert!(said.contains("which cells are occupied") && said.contains(" kB"), "{said}");
}

/// The programs in `examples/`, which `cargo test` builds beside the one that is tested.
#[test]
fn the_examples_render_from_a_run_without_its_scene() {
    let folder = assert_cmd::cargo::cargo_bin("nerve").with_file_name("examples");
    let example = |name: &str| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if !example("render_run").exists() {
        eprintln!("SKIPPED examples/render_run.rs: it was not built");
        return;
    }
    let place = Place::with_scene(1);
    place.train(&["--steps", "60", "--out", "run", "--no-eval"]).success();
    place.run(&["export", "run", "compact", "small"]).success();
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    let size = |run: &str| {
        let shown = assert_cmd::Command::new(example("render_run"))
            .args([run, "view.png"])
            .current_dir(place.path("."))
            .assert()
            .success();
        assert!(stdout(&shown).contains("60 steps"), "{}", stdout(&shown));
        let file = std::io::BufReader::new(std::fs::File::open(place.path("view.png")).unwrap());
        let png = png::Decoder::new(file).read_info().unwrap();
        (png.info().width, png.info().height)
    };
    for run in ["run", "run/checkpoint.safetensors", "small"] {
        assert_eq!(size(run), (80, 80), "{run}");
    }
}
