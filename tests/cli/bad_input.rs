//! What is wrong is said once, with the file and what to do: 2 for the command line, 1 for everything else.

use crate::program::{Place, stderr};

#[test]
fn usage_errors_are_2() {
    let place = Place::new();
    for (args, part) in [
        (&["fly"][..], "unrecognized"),
        (&["train"], "<SCENE>"),
        (&["train", "x", "--steps", "9", "--time", "9s"], "--time"),
        (&["train", "x", "--steps", "0"], "at least 1"),
        (&["train", "x", "--time", "soon"], "90s"),
        (&["train", "x", "--width", "33"], "32 to 128"),
        (&["train", "x", "--levels", "40"], "1 to 32"),
        (&["train", "x", "--lr-hold", "2"], "between 0 and 1"),
        (&["train", "x", "--seed", "9223372036854775808"], "is not in"),
        (&["train", "x", "--save-every", "inf"], "--save-every"),
        (&["train", "x", "--downscale", "0"], "--downscale"),
        (&["train", "x", "--device", "gpu"], "cuda:N"),
        (&["train", "x", "--overwrite"], "--out"),
        (&["seg", "train", "x", "--overwrite"], "--out"),
        (&["train", "x", "--threads", "5000"], "0 to 1024"),
        (&["eval", "x", "--split", "dev"], "train"),
        (&["doctor", "--out", "x"], "no meaning"),
        (&["demo", "x", "--resolution", "0"], "resolution"),
        (&["demo", "x", "--test", "0"], "test"),
        (&["train", "x", "--rho", "0.1", "--gate", "on"], "--gate, --rho: of no effect on a plain field"),
        (&["train", "x", "--method", "plain", "--pruner", "l1"], "--method hollow"),
        (&["train", "x", "--lr", "-1"], "--lr is -1, but it must be"),
        (&["train", "x", "--lr", "0"], "Usage: nerve train"),
        (&["train", "x", "--eval-every", "9223372036854775808"], "--eval-every is 9223372036854775808"),
        (&["train", "x", "--holdout", "9223372036854775808"], "--holdout is"),
        (&["train", "x", "--max-images", "9223372036854775808"], "--max-images is"),
        (&["seg", "info", "vit-tiny", "--size", "1"], "Usage: nerve seg info"),
    ] {
        let error = stderr(&place.run(args).code(2));
        assert!(error.starts_with("error: ") && error.contains(part), "{args:?}: {error}");
    }
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), 0, "nothing was made");
}

#[test]
fn scenes_that_cannot_be_read() {
    let place = Place::with_scene(1);
    place.fails(&["train", "absent"], &["absent", "no such file or folder"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.fails(&["train", "empty"], &["empty", "transforms_train.json"]);
    place.write("broken/transforms.json", "{\"frames\": [");
    place.fails(&["train", "broken"], &["broken/transforms.json", "line 1"]);
    let good = std::fs::read_to_string(place.path("scene/transforms_train.json")).unwrap();
    for (name, bad) in [("nan", "NaN"), ("null", "null"), ("huge", "1e999")] {
        let at = good.find("transform_matrix").unwrap();
        let number = at + good[at..].find(|c: char| c.is_ascii_digit() || c == '-').unwrap();
        let end = number + good[number..].find([',', '\n']).unwrap();
        let file = format!("scene/{name}.json");
        place.write(&file, &format!("{}{bad}{}", &good[..number], &good[end..]));
        place.fails(&["train", &file], &[&file]);
        place.fails(&["inspect", &file], &[&file]);
    }
    std::fs::write(place.path("scene/train/r_3.png"), "not a picture").unwrap();
    place.fails(&["train", "scene"], &["scene/train/r_3.png"]);
    place.fails(&["train", "scene", "--device", "cuda"], &["cuda:0", "--device cpu"]);
    place.fails(&["inspect", "demo"], &["nerve demo OUT"]);
    assert!(!place.path("runs").exists(), "no run was begun");
}
