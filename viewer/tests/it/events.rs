//! Events of a scene and of labels, small.
use std::sync::Arc;
use std::time::Duration;

use nerve_core::run::{Class, DoneReason, Event, ImageRole, LabelRole, Level, MapRole, Photo, View};

/// Reports of a scene's run.
pub const REPORTS: u64 = 30;

fn elapsed(step: u64) -> Duration {
    Duration::from_millis(step * 50)
}

fn view(i: usize) -> View {
    let angle = i as f64;
    let (s, c) = angle.sin_cos();
    View {
        name: format!("{}/r_{i}", if i == 0 { "test" } else { "train" }),
        held_out: i == 0,
        pose: [[c, 0.0, s, 4.0 * s], [0.0, 1.0, 0.0, 0.0], [-s, 0.0, c, 4.0 * c]],
        resolution: [80.0, 60.0],
        focal: [70.0; 2],
        principal: [40.0, 30.0],
        photo: Some(Photo { width: 40, height: 30, data: vec![i as u8 * 40; 40 * 30 * 3].into() }),
    }
}

pub fn image(step: u64, name: &str, role: ImageRole, side: usize) -> Event {
    let data = (0..side * side * 3).map(|i| (i as u64 * 7 + step) as u8).collect();
    Event::Image { step, name: name.into(), role, width: side, height: side, channels: 3, data }
}

pub fn scalars(step: u64) -> Event {
    let values = vec![("loss".into(), 1.0 / (step + 1) as f64), ("eval/psnr".into(), f64::NAN)];
    Event::Scalars { step, elapsed: elapsed(step), values }
}

/// All that a scene's run tells.
pub fn scene() -> Vec<Event> {
    let views: Arc<[View]> = (0..4).map(view).collect();
    let corners: Arc<[[f32; 3]]> = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]].into();
    let colors: Arc<[[u8; 3]]> = vec![[255, 0, 0]; 3].into();
    let mut events = vec![
        Event::Cameras { views },
        Event::Path { name: "capture".into(), points: corners.clone() },
        Event::Points {
            step: None,
            name: "sparse".into(),
            positions: corners.clone(),
            colors: colors.clone(),
            radius: 0.0,
        },
    ];
    for step in (1..=REPORTS).map(|i| i * 20) {
        events.push(scalars(step));
    }
    let step = 20 * REPORTS;
    events.extend([
        image(step, "test/r_0", ImageRole::GroundTruth, 40),
        image(step, "test/r_0", ImageRole::Prediction, 40),
        image(step, "test/r_0", ImageRole::Error, 40),
        Event::Map {
            step,
            name: "test/r_0".into(),
            role: MapRole::Depth,
            width: 40,
            height: 40,
            values: (0..1600).map(|i| if i % 9 == 0 { f32::NAN } else { 1.0 + i as f32 * 0.01 }).collect(),
        },
        Event::Points {
            step: Some(step),
            name: "surface/0".into(),
            positions: corners.clone(),
            colors: colors.clone(),
            radius: 0.1,
        },
        Event::Mesh {
            step,
            name: "surface".into(),
            positions: corners,
            triangles: vec![[0, 1, 2]].into(),
            colors,
        },
        Event::Voxels {
            step,
            name: "occupancy/0".into(),
            cells: [4; 3],
            frame: [[2.0, 0.0, 0.0, -1.0], [0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 2.0, -1.0]],
            values: (0..64).map(|i| if i % 3 == 0 { 1.0 } else { f32::NAN }).collect(),
        },
        Event::Histogram {
            step,
            elapsed: elapsed(step),
            name: "saliency/p".into(),
            range: [0.0, 1.0],
            counts: vec![3, 4, 5].into(),
        },
        Event::Text { level: Level::Warning, message: "the loss sits still".into() },
        Event::Done { reason: DoneReason::Finished },
    ]);
    events
}

/// All that a run on labels tells.
pub fn labels() -> Vec<Event> {
    let class = |name: &str, color| Class { name: name.into(), color };
    let classes = [class("sky", [120, 170, 230]), class("road", [128, 64, 128]), class("car", [0, 0, 142])];
    let map = |role| {
        let values = (0..400).map(|i| i as f32 / 400.0).collect();
        Event::Map { step: 10, name: "street".into(), role, width: 20, height: 20, values }
    };
    let labels = |role, shift: usize| {
        let labels = (0..400).map(|i| if i < 20 { 255 } else { ((i + shift) / 133 % 3) as u16 }).collect();
        Event::Labels { step: 10, name: "street".into(), role, width: 20, height: 20, labels }
    };
    vec![
        Event::Classes { classes: classes.into() },
        image(10, "street", ImageRole::Input, 20),
        labels(LabelRole::GroundTruth, 0),
        labels(LabelRole::Prediction, 30),
        map(MapRole::Score),
        map(MapRole::Saliency),
        map(MapRole::Depth),
        image(10, "street", ImageRole::Normals, 20),
        Event::PerClass { step: 10, name: "iou".into(), values: vec![0.9, 0.7, f64::NAN].into() },
        Event::Confusion { step: 10, classes: 3, counts: vec![90, 10, 0, 5, 95, 0, 0, 0, 0].into() },
        scalars(10),
    ]
}
