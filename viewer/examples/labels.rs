//! Writes a recording of made-up labels, to look at how labels are laid out without a training.
//!
//!     cargo run --release -p nerve-viewer --example labels -- labels.rrd
use std::{borrow::Cow, path::PathBuf, time::Duration};

use nerve_core::run::{Class, Delivery, DoneReason, Event, Events, ImageRole, LabelRole, Level, MapRole};
use nerve_viewer::{Destination, Viewer};

const SIZE: [usize; 2] = [320, 200];
const CLASSES: [(&str, [u8; 3]); 7] = [
    ("sky", [128, 176, 232]),
    ("building", [120, 120, 124]),
    ("tree", [84, 142, 62]),
    ("road", [128, 64, 128]),
    ("pavement", [214, 120, 190]),
    ("car", [40, 70, 180]),
    ("bicycle", [180, 40, 40]),
];
/// What has no class.
const IGNORED: u16 = 255;
const STEPS: u64 = 12;

/// The class and the depth at a pixel of a street, which is `moved` to the side.
fn street(x: f64, y: f64, moved: f64) -> (u16, f64) {
    let (u, v) = ((x + moved) / SIZE[0] as f64 - 0.5, y / SIZE[1] as f64 - 0.45);
    let ahead = 1.5 / v.abs().max(0.01);
    let car = ((u - 0.1) / 0.09).powi(2) + ((v - 0.17) / 0.08).powi(2) < 1.0;
    let crown = ((u + 0.27) / 0.11).powi(2) + ((v + 0.12) / 0.17).powi(2) < 1.0;
    let house = u.abs() > 0.14 && v > -0.32 + 0.06 * (u * 40.0).sin().signum() && v < 0.9 * u.abs() - 0.08;
    match () {
        () if x < 4.0 || y + 4.0 > SIZE[1] as f64 => (IGNORED, f64::NAN),
        () if car => (5, 7.0),
        () if crown || (u + 0.27).abs() < 0.012 && v > 0.0 && v < 0.2 => (2, 9.0),
        () if house => (1, 4.0 / u.abs()),
        () if v < 0.0 => (0, f64::NAN),
        () if u.abs() < 0.1 + 0.75 * v => (3, ahead),
        () => (4, ahead),
    }
}

/// Every pixel, row by row.
fn pixels<T>(of: impl Fn(f64, f64) -> T) -> Vec<T> {
    (0..SIZE[1])
        .flat_map(|y| (0..SIZE[0]).map(move |x| (x as f64, y as f64)))
        .map(|(x, y)| of(x, y))
        .collect()
}

/// A guess that gets better: near borders it is off by some pixels, and the bicycle's class comes up at times.
fn guess(x: f64, y: f64, moved: f64, step: u64) -> u16 {
    let blur = 40.0 / (step + 2) as f64;
    let wave = (x * 0.21 + y * 0.34).sin() * (x * 0.13 - y * 0.17).cos();
    let (class, _) = street(x + blur * wave, y + blur * wave * 0.6, moved);
    if class == 5 && wave > 0.75 { 6 } else { class }
}

fn picture(events: &Events, name: &str, moved: f64, step: u64, confusion: &mut [u64]) {
    let [width, height] = SIZE;
    let truth = pixels(|x, y| street(x, y, moved).0);
    let found = pixels(|x, y| guess(x, y, moved, step));
    for (t, f) in truth.iter().zip(&found) {
        let (t, f) = (usize::from(*t), usize::from(*f));
        if t < CLASSES.len() && f < CLASSES.len() {
            confusion[t * CLASSES.len() + f] += 1;
        }
    }
    let image = |role, data: Vec<u8>| {
        let name = name.to_owned();
        events.publish(Event::Image { step, name, role, width, height, channels: 3, data: data.into() });
    };
    let map = |role, values: Vec<f32>| {
        events.publish(Event::Map {
            step,
            name: name.to_owned(),
            role,
            width,
            height,
            values: values.into(),
        });
    };
    let photo = pixels(|x, y| {
        let noise = ((x * 12.9898 + y * 78.233).sin() * 43_758.545_3).rem_euclid(1.0);
        let grain = 24.0 * (noise - 0.5) - 50.0 * (y / height as f64 - 0.4);
        let (class, _) = street(x, y, moved);
        let color = CLASSES.get(usize::from(class)).map_or([60; 3], |(_, color)| *color);
        color.map(|c| (0.6 * f64::from(c) + 60.0 + grain).clamp(0.0, 255.0) as u8)
    });
    image(ImageRole::Input, photo.concat());
    let normals = pixels(|x, y| match street(x, y, moved).0 {
        3 | 4 => [128, 255, 128],
        1 if x + moved < width as f64 / 2.0 => [240, 128, 160],
        1 => [16, 128, 160],
        2 | 5 | 6 => [128, 150, 250],
        _ => [128, 128, 128],
    });
    image(ImageRole::Normals, normals.concat());
    for (role, labels) in [(LabelRole::GroundTruth, truth), (LabelRole::Prediction, found)] {
        let name = name.to_owned();
        events.publish(Event::Labels { step, name, role, width, height, labels: labels.into() });
    }
    let sure = |x: f64, y: f64| {
        let here = guess(x, y, moved, step);
        let same = [(-5.0, 0.0), (5.0, 0.0), (0.0, -5.0), (0.0, 5.0)]
            .iter()
            .filter(|(dx, dy)| guess(x + dx, y + dy, moved, step) == here);
        0.3 + 0.17 * same.count() as f32
    };
    map(MapRole::Score, pixels(sure));
    map(MapRole::Saliency, pixels(|x, y| 1.0 - sure(x, y) * 0.9));
    map(MapRole::Depth, pixels(|x, y| street(x, y, moved).1 as f32));
}

fn main() {
    let Some(file) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: labels FILE.rrd");
        std::process::exit(2);
    };
    let events = Events::new();
    let viewer =
        Viewer::new(Destination::Save(file), "nerve_labels", "labels", 320, |text| eprintln!("{text}"));
    if let Err(error) = events.attach("viewer", Delivery::Lossless, viewer) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    let class = |(name, color): (&str, [u8; 3])| Class { name: name.into(), color };
    events.publish(Event::Classes { classes: CLASSES.map(class).into() });
    let n = CLASSES.len();
    for step in 1..=STEPS {
        let mut confusion = vec![0; n * n];
        for (name, moved) in [("street 1", 0.0), ("street 2", 30.0)] {
            picture(&events, name, moved, step, &mut confusion);
        }
        let row = |c: usize| confusion[c * n..(c + 1) * n].iter().sum::<u64>() as f64;
        let column = |c: usize| (0..n).map(|r| confusion[r * n + c]).sum::<u64>() as f64;
        let hits = |c: usize| confusion[c * n + c] as f64;
        let iou: Vec<f64> = (0..n).map(|c| hits(c) / (row(c) + column(c) - hits(c))).collect();
        let accuracy: Vec<f64> = (0..n).map(|c| hits(c) / row(c)).collect();
        let mean = iou.iter().sum::<f64>() / n as f64;
        let values: Vec<(Cow<'static, str>, f64)> =
            vec![("loss".into(), 1.2 / (step + 1) as f64), ("eval/miou".into(), mean)];
        events.publish(Event::Scalars { step, elapsed: Duration::from_secs(step), values });
        events.publish(Event::PerClass { step, name: "iou".into(), values: iou.into() });
        events.publish(Event::PerClass { step, name: "accuracy".into(), values: accuracy.into() });
        events.publish(Event::Confusion { step, classes: n, counts: confusion.into() });
    }
    let message = "class 6, bicycle, has no pixel in these pictures".to_owned();
    events.publish(Event::Text { level: Level::Warning, message });
    events.publish(Event::Done { reason: DoneReason::Finished });
    if let Some(failure) = events.close(Duration::from_secs(20)).into_iter().find_map(|sink| sink.failure) {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}
