//! `nerve eval --lpips`.

use crate::program::{Place, event, events, stderr, stdout};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use std::path::Path;

/// AlexNet's arrays with small weights in no particular order, under torchvision's names; heads of ones.
fn write_weights(path: &Path, heads: bool) {
    let convolutions =
        [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)];
    let mut arrays = Vec::new();
    for (i, (index, inputs, outputs, side)) in convolutions.into_iter().enumerate() {
        let count = outputs * inputs * side * side;
        let scale = (6.0 / (inputs * side * side) as f32).sqrt();
        let weights = (0..count).map(|k: usize| {
            let noise = k.wrapping_mul(2_654_435_761).wrapping_add(i * 97) >> 7 & 0xffff;
            scale * (noise as f32 / 32768.0 - 1.0)
        });
        arrays.push((
            format!("features.{index}.weight"),
            vec![outputs, inputs, side, side],
            weights.collect(),
        ));
        arrays.push((format!("features.{index}.bias"), vec![outputs], vec![0.01f32; outputs]));
        if heads {
            arrays.push((format!("lin{i}.model.1.weight"), vec![1, outputs, 1, 1], vec![1.0; outputs]));
        }
    }
    let bytes: Vec<Vec<u8>> = arrays
        .iter()
        .map(|(_, _, v): &(_, _, Vec<f32>)| v.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

#[test]
fn lpips_is_measured_when_weights_are_given_and_never_otherwise() {
    let place = Place::with_scene(2);
    let trained = place.train(&["--steps", "30", "--out", "run"]).success();
    let eval = || std::fs::read_to_string(place.path("run/eval.json")).unwrap();
    assert!(!stdout(&trained).contains("LPIPS") && !eval().contains("lpips"));

    write_weights(&place.path("alex.safetensors"), true);
    let said = stdout(&place.run(&["eval", "run", "--lpips", "alex.safetensors"]).success());
    assert!(said.contains("LPIPS ") && said.contains("(AlexNet)"), "{said}");
    let lines = events(&place.run(&["eval", "run", "--lpips", "alex.safetensors", "--json"]).success());
    let report = event(&lines, "eval");
    assert_eq!(report["lpips_network"], "AlexNet");
    let views: Vec<f64> =
        report["views"].as_array().unwrap().iter().map(|view| view["lpips"].as_f64().unwrap()).collect();
    assert!(views.iter().all(|v| *v > 1e-3 && v.is_finite()), "{views:?}");
    let mean = report["lpips"].as_f64().unwrap();
    assert!((views.iter().sum::<f64>() / views.len() as f64 - mean).abs() < 1e-12);
    assert!(eval().contains("\"lpips\""));

    let before = eval();
    write_weights(&place.path("headless.safetensors"), false);
    for (weights, parts) in [
        (
            "headless.safetensors",
            &["headless.safetensors", "AlexNet", "learned heads", "PyPI package `lpips`"][..],
        ),
        ("absent.pth", &["absent.pth"]),
        ("run/config.toml", &["run/config.toml", "neither safetensors nor a PyTorch file"]),
        ("scene", &["scene", "no features.0.weight"]),
    ] {
        let error = stderr(&place.run(&["eval", "run", "--lpips", weights]).code(1));
        for part in parts {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    assert_eq!(eval(), before, "no half evaluation");
    let small = ["--downscale", "2", "--steps", "5", "--out", "small", "--no-eval"];
    place.train(&small).success();
    let error = stderr(&place.run(&["eval", "small", "--lpips", "alex.safetensors"]).code(1));
    assert!(error.contains("20x20") && error.contains("needs 31"), "{error}");
}
