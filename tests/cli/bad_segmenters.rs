//! Segmenters, their weights and their runs with one thing wrong.

use crate::bad_labels::{STEP, labels};
use crate::program::{Place, stderr};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;

/// A file of weights with these arrays of zeros.
fn weights(arrays: &[(&str, &[usize])]) -> Vec<u8> {
    let zeros = vec![0u8; 4 * arrays.iter().map(|(_, s)| s.iter().product()).max().unwrap_or(0)];
    let views: BTreeMap<&str, TensorView<'_>> = arrays
        .iter()
        .map(|(key, shape)| {
            let bytes = &zeros[..4 * shape.iter().product::<usize>()];
            (*key, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
        })
        .collect();
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn weights_that_do_not_fit() {
    let (place, mut flaws) = (Place::new(), Vec::new());
    labels(&place);
    let good = weights(&[("patch_embed.proj.weight", &[192, 3, 16, 16]), ("cls_token", &[1, 1, 192])]);
    let wrong = weights(&[("cls_token", &[1, 1, 384]), ("surprise", &[2])]);
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    for (bytes, parts) in [
        (good.clone(), &["148 missing", "--backbone", "vit-tiny"][..]),
        (wrong, &["1 of another shape", "cls_token", "[1, 1, 384]", "surprise"]),
        (good[..good.len() / 2].to_vec(), &["weights.safetensors"]),
        (huge, &["weights.safetensors"]),
        (vec![], &["weights.safetensors"]),
        (b"PK\x03\x04cut".to_vec(), &["weights.safetensors"]),
    ] {
        std::fs::write(place.path("weights.safetensors"), bytes).unwrap();
        let args = [&STEP[..], &["--backbone", "vit-tiny", "--weights", "weights.safetensors"]].concat();
        flaws.extend(place.flaw(&args, parts));
    }
    std::fs::create_dir(place.path("bare")).unwrap();
    flaws.extend(place.flaw(&[&STEP[..], &["--weights", "bare"]].concat(), &["bare", "model.safetensors"]));
    flaws.extend(place.flaw(&[&STEP[..], &["--weights", "absent"]].concat(), &["absent"]));
    assert!(flaws.is_empty() && !place.path("runs").exists(), "{}", flaws.join("\n\n"));
}

#[test]
fn settings_that_cannot_be_are_usage_errors() {
    let place = Place::new();
    labels(&place);
    for (args, parts) in [
        (&["--backbone", "resnet50"][..], &["resnet50", "swin-tiny", "mit-b0"][..]),
        (&["--head", "unet"], &["unet", "upernet"]),
        (&["--head", "upernet", "--batch", "1"], &["--batch is 1", "at least 2"]),
        (&["--head-width", "0"], &["--head-width"]),
        (&["--crop", "8"], &["crop", "32 to 4096"]),
        (&["--drop-path", "1"], &["--drop-path"]),
        (&["--class-weights", "rare"], &["log", "equal"]),
        (&["--photometric", "nan"], &["--photometric is NaN", "0 to 2"]),
        (&["--photometric", "1e300"], &["--photometric", "0 to 2"]),
        (&["--max-class-share", "0"], &["--max-class-share is 0", "above 0"]),
        (&["--max-images", "0"], &["--max-images is 0", "at least 1", "Usage: nerve seg train"]),
        (&["--warmup-steps", "9223372036854775808"], &["--warmup-steps"]),
    ] {
        let steps = ["seg", "train", "labels", "--steps", "1"];
        let error = stderr(&place.run(&[&steps[..], args].concat()).code(2));
        let absent: Vec<_> = parts.iter().filter(|part| !error.contains(**part)).collect();
        assert!(absent.is_empty(), "{args:?}: absent {absent:?} in {error}");
    }
    assert!(!place.path("runs").exists(), "no run was begun");
}

#[test]
fn runs_that_do_not_fit_their_data() {
    let (place, mut flaws) = (Place::new(), Vec::new());
    labels(&place);
    place.run(&[&STEP[..], &["--no-eval", "--out", "run"]].concat()).success();
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let checkpoint = std::fs::read(place.path("run/checkpoint.safetensors")).unwrap();
    let pictures = "labels/images/e.png";
    let commands: [&[&str]; 3] = [&["eval", "run"], &["resume", "run", "--steps", "2"], &["view", "run"]];

    // Other classes, by number and by name.
    for (classes, parts) in [
        ("sky\nroad\ntree\ncar\n", &["checkpoint.safetensors", "3 classes", "4 classes"][..]),
        ("sky\ntree\nroad\n", &["checkpoint.safetensors", "class 1 is road", "it is tree"]),
    ] {
        place.write("labels/classes.txt", classes);
        commands.iter().for_each(|command| flaws.extend(place.flaw(command, parts)));
    }
    // A run labels pictures without what it was trained on, and with the classes it was trained on.
    std::fs::rename(place.path("labels/images"), place.path("pictures")).unwrap();
    std::fs::remove_dir_all(place.path("labels")).unwrap();
    place.run(&["seg", "predict", "run", "pictures/e.png", "--out", "found"]).success();
    assert!(std::fs::read_to_string(place.path("found/areas.json")).unwrap().contains("\"road\""));
    commands.iter().for_each(|command| flaws.extend(place.flaw(command, &["labels", "no such folder"])));
    labels(&place);

    let error = stderr(&place.run(&["eval", "run", "--fit-poses"]).code(2));
    assert!(error.contains("--fit-poses has no meaning for a segmenter"), "{error}");

    // Files of the run.
    for (from, to, parts) in [
        ("head = \"all-mlp\"", "head = \"upernet\"", &["another model"][..]),
        ("backbone = \"tinyvit-5m\"", "backbone = \"mit-b0\"", &["another model", "tinyvit-5m", "mit-b0"]),
        ("backbone = \"tinyvit-5m\"", "backbone = \"resnet\"", &["config.toml", "resnet"]),
        ("head_width = 8", "head_width = 9", &["another model", "head_width 9"]),
    ] {
        assert!(config.contains(from), "{config}");
        place.write("run/config.toml", &config.replace(from, to));
        flaws.extend(place.flaw(&["eval", "run"], parts));
        flaws.extend(place.flaw(&["seg", "predict", "run", pictures], parts));
    }
    place.write("run/config.toml", &config);
    std::fs::write(place.path("run/checkpoint.safetensors"), &checkpoint[..checkpoint.len() / 2]).unwrap();
    for command in commands.iter().chain([&["seg", "predict", "run", pictures][..]].iter()) {
        flaws.extend(place.flaw(command, &["checkpoint.safetensors"]));
    }
    std::fs::write(place.path("run/checkpoint.safetensors"), &checkpoint).unwrap();
    place.write("broken.png", "no picture");
    flaws.extend(place.flaw(&["seg", "predict", "run", "broken.png"], &["broken.png"]));
    flaws.extend(place.flaw(&["seg", "predict", "run", "absent.png"], &["absent.png"]));
    assert!(flaws.is_empty(), "{}", flaws.join("\n\n"));
    assert!(!place.path("run/eval.json").exists() && !place.path("run/predictions/areas.json").exists());
}
