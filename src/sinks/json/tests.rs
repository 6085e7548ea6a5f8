#![allow(clippy::unwrap_used)]

use super::*;
use nerve_core::run::{Class, Photo, Rate, View};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const POSE: [[f64; 4]; 3] = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];

#[test]
fn every_event_is_one_object_on_one_line() {
    let mut out = Vec::new();
    let mut sink = JsonLines(&mut out);
    let values = vec![("loss".into(), 0.5), ("psnr".into(), f64::INFINITY)];
    let elapsed = Duration::from_millis(1500);
    sink.handle(&Event::Scalars { step: 20, elapsed, values }).unwrap();
    sink.handle(&Event::Image {
        step: 20,
        name: "test/r_0".into(),
        role: ImageRole::Prediction,
        width: 1,
        height: 1,
        channels: 3,
        data: vec![0; 3].into(),
    })
    .unwrap();
    let (name, counts) = ("saliency/p".into(), vec![3, 4].into());
    sink.handle(&Event::Histogram { step: 20, elapsed, name, range: [0.0, 1.0], counts }).unwrap();
    let (name, values) = ("saliency".into(), vec![0.0; 8].into());
    let frame = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    sink.handle(&Event::Voxels { step: 20, name, cells: [2; 3], frame, values }).unwrap();
    sink.handle(&Event::Text { level: Level::Warning, message: "two\nlines".into() }).unwrap();
    sink.handle(&Event::Done { reason: DoneReason::Failed("no \"disk\"".into()) }).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            json!({"event": "scalars", "step": 20, "elapsed": 1.5, "loss": 0.5, "psnr": null}),
            json!({"event": "image", "step": 20, "name": "test/r_0", "role": "prediction", "width": 1, "height": 1}),
            json!({"event": "histogram", "step": 20, "name": "saliency/p", "range": [0.0, 1.0], "counts": [3, 4]}),
            json!({"event": "voxels", "step": 20, "name": "saliency", "cells": [2, 2, 2]}),
            json!({"event": "text", "level": "warning", "message": "two\nlines"}),
            json!({"event": "done", "reason": "failed", "error": "no \"disk\""}),
        ]
    );
}

fn view(held_out: bool) -> View {
    View {
        name: "r_0".into(),
        held_out,
        pose: POSE,
        resolution: [2.0, 1.0],
        focal: [1.0; 2],
        principal: [1.0, 0.5],
        photo: Some(Photo { width: 2, height: 1, data: vec![0; 6].into() }),
    }
}

/// The kinds of events that carry more than a line can hold.
fn large() -> [Event; 9] {
    let (step, name, [width, height]) = (3, || "a".to_owned(), [2, 1]);
    let classes = ["road", "sky"].map(|name| Class { name: name.into(), color: [1, 2, 3] });
    let positions: Arc<[[f32; 3]]> = vec![[0.0; 3]; 4].into();
    let colors: Arc<[[u8; 3]]> = Arc::new([]);
    let views = vec![view(false), view(true), view(false)].into();
    let (score, truth) = (MapRole::Score, LabelRole::GroundTruth);
    [
        Event::Map { step, name: name(), role: score, width, height, values: vec![0.0; 2].into() },
        Event::Classes { classes: Arc::new(classes) },
        Event::Labels { step, name: name(), role: truth, width, height, labels: vec![0; 2].into() },
        Event::PerClass { step, name: "iou".into(), values: vec![0.5, f64::NAN].into() },
        Event::Confusion { step, classes: 2, counts: vec![1; 4].into() },
        Event::Cameras { views },
        Event::Path { name: "capture".into(), points: vec![[0.0; 3]; 5].into() },
        Event::Points {
            step: None,
            name: "sparse".into(),
            positions: positions.clone(),
            colors: colors.clone(),
            radius: 0.1,
        },
        Event::Mesh { step, name: "surface".into(), positions, triangles: vec![[0, 1, 2]; 2].into(), colors },
    ]
}

fn lines(events: impl IntoIterator<Item = Event>) -> Vec<Value> {
    let mut out = Vec::new();
    let mut sink = JsonLines(&mut out);
    events.into_iter().for_each(|event| sink.handle(&event).unwrap());
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn large_payloads_are_told_by_their_sizes() {
    assert_eq!(
        lines(large()),
        [
            json!({"event": "map", "step": 3, "name": "a", "role": "score", "width": 2, "height": 1}),
            json!({"event": "classes", "classes": [
                {"name": "road", "color": [1, 2, 3]}, {"name": "sky", "color": [1, 2, 3]}]}),
            json!({"event": "labels", "step": 3, "name": "a", "role": "ground_truth", "width": 2, "height": 1}),
            json!({"event": "per_class", "step": 3, "name": "iou", "values": [0.5, null]}),
            json!({"event": "confusion", "step": 3, "classes": 2}),
            json!({"event": "cameras", "views": 3, "held_out": 1}),
            json!({"event": "path", "name": "capture", "points": 5}),
            json!({"event": "points", "step": null, "name": "sparse", "points": 4}),
            json!({"event": "mesh", "step": 3, "name": "surface", "vertices": 4, "triangles": 2}),
        ]
    );
}

/// What is said for people, as numbers with units.
fn figures() -> [Event; 2] {
    let (elapsed, eta) = (Duration::from_secs(3), Duration::from_secs(9));
    let rates = vec![Rate::new(80.0, "rays"), Rate::new(1e6, "samples")];
    let metric = Some(Metric::decibels("PSNR", 20.0));
    let scores = vec![Metric::share("mIoU", 0.5), Metric::number("SSIM", f64::NAN)];
    [
        Event::Progress { step: 40, elapsed, done: 0.25, eta, loss: 0.01, rates, metric },
        Event::Scores { step: 40, scores },
    ]
}

#[test]
fn figures_have_their_units() {
    assert_eq!(
        lines(figures()),
        [
            json!({
                "event": "progress", "step": 40, "elapsed": 3.0, "done": 0.25, "eta_s": 9.0, "loss": 0.01,
                "rates": {"rays": 80.0, "samples": 1e6}, "metric": {"name": "PSNR", "value": 20.0, "unit": "dB"},
            }),
            json!({"event": "scores", "step": 40, "scores": [
                {"name": "mIoU", "value": 0.5, "unit": "share"}, {"name": "SSIM", "value": null, "unit": null}]}),
        ]
    );
}

#[test]
fn the_page_lists_every_line() {
    let page = include_str!("../../../docs/JSON_LINES.md");
    let (_, table) = page.split_once("## Events of a run").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let listed: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let lines = lines(large().into_iter().chain(figures()));
    let told = lines.iter().filter_map(|line| line["event"].as_str());
    let written = told.chain(["scalars", "image", "histogram", "voxels", "text", "done"]).collect();
    assert_eq!(listed, written);
}
