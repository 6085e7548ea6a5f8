//! `nerve seg predict --classes`: words asked of a CLIP, and of a run that language guides.

use crate::program::{Place, stderr, stdout};
use serde_json::{Value, json};
use std::path::Path;

/// A small CLIP of the fixtures, with a tokenizer of twenty words beside it.
fn clip(place: &Place) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("vision/tests/fixtures/clip_hf");
    std::fs::create_dir_all(place.path("clip")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(from.join(name), place.path("clip").join(name)).unwrap();
    }
    let words = ["?", "a", "photo", "of", "road", "tree", "plant", "car", "red", "."];
    let mut vocabulary = json!({"<|startoftext|>": 18, "<|endoftext|>": 19});
    for (i, word) in words.iter().enumerate() {
        vocabulary[word] = i.into();
    }
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "?"},
    });
    std::fs::write(place.path("clip/tokenizer.json"), tokenizer.to_string()).unwrap();
}

#[test]
fn a_clip_answers_any_words() {
    let place = Place::new();
    place.run(&["demo", "labels", "--labels"]).success();
    clip(&place);
    let picture = std::fs::read_dir(place.path("labels/images/val")).unwrap().next().unwrap().unwrap().path();
    let picture = picture.to_str().unwrap();
    let ask = |more: &[&str]| {
        place.run(
            &[&["seg", "predict", "clip", picture, "--classes", "road, tree|plant, red car"], more].concat(),
        )
    };
    for last in ["naclip", "sclip", "clearclip", "maskclip"] {
        let said = stdout(&ask(&["--last", last, "--template", "a {}", "--out", last]).success());
        assert!(said.contains("1 of 1"), "{said}");
    }
    let areas = std::fs::read_to_string(place.path("naclip/areas.json")).unwrap();
    let areas: Value = serde_json::from_str(&areas).unwrap();
    let classes: Vec<&String> = areas[0]["classes"].as_object().unwrap().keys().collect();
    assert_eq!(classes.len(), 3, "{classes:?}");
    let files = || std::fs::read_dir(place.path("naclip")).unwrap().map(|e| e.unwrap().file_name());
    let named = |part: &str| files().any(|name| name.to_str().unwrap().contains(part));
    assert!(named("_words.npy") && named("_word2_plant.png") && named("_word3_red_car.png"));
    // Nothing is likely enough: all is background, the first class.
    ask(&["--threshold", "1", "--out", "none"]).success();
    let areas = std::fs::read_to_string(place.path("none/areas.json")).unwrap();
    let areas: Value = serde_json::from_str(&areas).unwrap();
    assert_eq!(areas[0]["classes"]["road"]["share"], 1.0);

    let fails = |args: &[&str], code: i32, part: &str| {
        let run = place.run(&[&["seg", "predict", "clip", picture], args].concat());
        assert_eq!(run.get_output().status.code(), Some(code), "{args:?}");
        assert!(stderr(&run).contains(part), "{part} in {}", stderr(&run));
    };
    fails(&["--classes", "road,,tree"], 2, "empty word");
    fails(&["--threshold", "0.5"], 2, "go with --classes");
    fails(&["--classes", "road", "--template", "a photo"], 1, "a template has {}");
    std::fs::remove_file(place.path("clip/tokenizer.json")).unwrap();
    fails(&["--classes", "road"], 1, "no tokenizer in this folder");
}

/// Vectors of the label set's classes and of one more word.
fn vectors(path: &Path, names: &[&str]) {
    let header = json!({
        "__metadata__": {"names": json!(names).to_string()},
        "embeddings": {"dtype": "F32", "shape": [names.len(), 8], "data_offsets": [0, 32 * names.len()]},
    });
    let header = header.to_string().into_bytes();
    let values = (0..8 * names.len()).flat_map(|i| ((i * 7919 % 101) as f32 / 50.0 - 1.0).to_le_bytes());
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &values.collect::<Vec<_>>()].concat();
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_run_guided_by_language_answers_phrases() {
    let place = Place::new();
    place.run(&["demo", "labels", "--labels"]).success();
    let listed = std::fs::read_to_string(place.path("labels/classes.json")).unwrap();
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let mut names: Vec<&str> = listed.iter().map(|class| class["name"].as_str().unwrap()).collect();
    names.push("something else");
    vectors(&place.path("vectors.safetensors"), &names);
    let small = ["--crop", "64x64", "--batch", "2", "--head-width", "16", "--max-images", "4"];
    let train =
        ["seg", "train", "labels", "--method", "denseclip", "--steps", "2", "--no-eval", "--out", "run"];
    place.fails(&[&train[..], &small[..]].concat(), &["--text"]);
    let train = [&train[..], &small[..], &["--text", "vectors.safetensors"]].concat();
    let said = stdout(&place.run(&train).success());
    assert!(said.contains("step 2"), "{said}");
    let said = stdout(&place.run(&["seg", "info", "run"]).success());
    for part in ["language.decoder", "language.projection", "backbone", "head"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let picture = std::fs::read_dir(place.path("labels/images/val")).unwrap().next().unwrap().unwrap().path();
    let picture = picture.to_str().unwrap();
    let asked = format!("something else|{}", names[0]);
    place.run(&["seg", "predict", "run", picture, "--classes", &asked]).success();
    let found = std::fs::read_dir(place.path("run/predictions")).unwrap();
    assert!(found.into_iter().any(|e| e.unwrap().file_name().to_str().unwrap().ends_with("_words.npy")));
    place.fails(&["seg", "predict", "run", picture, "--classes", "zebra"], &["no vector of zebra"]);
}
