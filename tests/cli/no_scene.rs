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
    place.fails(&["eval", "after"], &[&missing[..], &["after"]].concat());
    place.fails(&["resume", "run", "--steps", "70"], &["/scene", "no such file or folder"]);

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
    std::fs::rename(place.path("moved"), place.path("scene")).unwrap();
    let file = psnr("after");
    assert!((run - file).abs() < 0.5, "{run} {file}");
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
