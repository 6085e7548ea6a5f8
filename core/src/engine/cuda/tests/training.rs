//! Trainings follow the processor's.

use super::*;
use crate::checkpoint::{Checkpoint, save};
use crate::engine::{Background, Batch, Draw, Key, PixelImage, Poses, Space};
use crate::ops::cast::{Lens, RayCamera};
use crate::ops::march::{Steps, Volume};
use std::sync::Arc;

const SIDE: u32 = 20;

/// Cameras around a ball whose color depends on the place.
pub fn views() -> Vec<TrainView> {
    (0..8).map(|i| view(f64::from(i) * std::f64::consts::TAU / 8.0)).collect()
}

fn view(angle: f64) -> TrainView {
    let (s, c) = angle.sin_cos();
    // The camera looks at the centre from a distance of 1.2; x right, y down, z forward.
    let axes = [[c, 0.0, -s], [0.0, -1.0, 0.0], [-s, 0.0, -c]];
    let origin = [0.5 + 1.2 * s, 0.5, 0.5 + 1.2 * c];
    let (focal, middle) = (f64::from(SIDE), f64::from(SIDE) / 2.0);
    let mut data = Vec::new();
    for pixel in 0..SIDE * SIDE {
        let (x, y) = (f64::from(pixel % SIDE) + 0.5 - middle, f64::from(pixel / SIDE) + 0.5 - middle);
        let ray = [x / focal, y / focal, 1.0];
        let d = axes.map(|row| row[0] * ray[0] + row[1] * ray[1] + row[2] * ray[2]);
        let length = d.iter().map(|d| d * d).sum::<f64>().sqrt();
        let d = d.map(|d| d / length);
        let o = origin.map(|o| o - 0.5);
        let b: f64 = (0..3).map(|a| o[a] * d[a]).sum();
        let disc = b * b - (o.iter().map(|o| o * o).sum::<f64>() - 0.09);
        let hit = disc > 0.0;
        let t = -b - disc.max(0.0).sqrt();
        let color = [0, 1, 2].map(|a| ((o[a] + t * d[a] + 0.5) * 255.0) as u8);
        data.extend(if hit { [color[0], color[1], color[2], 255] } else { [0, 0, 0, 0] });
    }
    let camera = RayCamera {
        origin: origin.map(|o| o as f32),
        axes,
        focal: [focal; 2],
        principal: [middle; 2],
        lens: Lens::Pinhole,
    };
    let pixels = PixelImage { width: SIDE, height: SIDE, channels: 4, data: data.into() };
    TrainView { camera, pixels, kept: None, points: Arc::new([]), depth: None, maps: Vec::new() }
}

/// Step `t` of a run.
pub fn step<'a>(bits: &'a Bitfield, views: ViewsId, t: u64, rays: usize, pruning: Option<f32>) -> Step<'a> {
    let volume = Volume { side: 1.0, steps: Steps::new(64, 1), near: 0.05 };
    let draw = Draw {
        views,
        rays,
        key: Key { seed: 5, step: t },
        background: Background::Random,
        point_share: 0.0,
        poses: Poses::Learnt,
        space: Space { bits, volume },
    };
    Step {
        batch: Batch::Drawn(draw),
        rate: 1e-2,
        progress: t as f64 / 50.0,
        pruning,
        pose_levels: usize::MAX,
    }
}

pub fn setup() -> Setup {
    Setup { betas: [0.9, 0.99], size: 1e-2, min_transmittance: 1e-4, width: 32, ..Setup::default() }
}

/// Losses of 50 steps, by pairs of engines.
fn losses(engine: &mut dyn TrainEngine, pruning: Option<f32>) -> Vec<f64> {
    let views = engine.add_views(views()).unwrap();
    let bits = Bitfield::new(1, true);
    (0..50).map(|t| engine.step(&step(&bits, views, t, 100, pruning)).unwrap().loss).collect()
}

/// After some steps the roundings of both have parted; the course is the same.
pub fn follow(name: &str, want: &[f64], got: &[f64], first: f64, course: f64) {
    for (t, (want, got)) in want.iter().zip(got).enumerate() {
        let tolerance = if t < 5 { first } else { course };
        assert!((want - got).abs() < tolerance * want, "{name}, step {t}: {got} for {want}");
    }
    assert!(got[45..].iter().sum::<f64>() < 0.5 * got[..5].iter().sum::<f64>(), "{name} learns: {got:?}");
}

#[test]
fn fifty_steps_follow_the_processor() {
    if device(0).is_none() {
        return;
    }
    for (name, setup, pruning) in [
        ("plain", setup(), None),
        ("hollow", Setup { saliency: Some(8), gate: Some(50.0), ..setup() }, Some(0.01)),
    ] {
        let mut spec = setup.spec();
        spec.optimizer.packed_tables = true;
        let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
        let mut gpu = twin(0, &spec, &cpu);
        let mut half = twin(0, &FieldSpec { precision: Precision::F16, ..spec.clone() }, &cpu);
        let want = losses(&mut cpu, pruning);
        follow(name, &want, &losses(&mut gpu, pruning), 1e-3, 0.05);
        follow(&format!("{name} in half precision"), &want, &losses(&mut half, pruning), 0.02, 0.15);
    }
}

/// What one kind of device has saved, the other continues.
#[test]
fn checkpoints_go_both_ways() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { saliency: Some(4), colors: true, average: Some(0.8), ..setup() };
    let setup = Setup { colors: true, ..setup };
    let mut spec = setup.spec();
    spec.cameras.count = 8;
    spec.optimizer.packed_tables = true;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
    let mut gpu = twin(0, &spec, &cpu);
    let bits = Bitfield::new(1, true);
    let ids = [cpu.add_views(views()).unwrap(), gpu.add_views(views()).unwrap()];
    for t in 0..3 {
        cpu.step(&step(&bits, ids[0], t, 100, Some(0.01))).unwrap();
    }
    let write = |engine: &dyn TrainEngine| {
        let state = engine.state().unwrap();
        let tensors: Vec<_> = state.iter().map(StateTensor::tensor).collect();
        save(&path, &std::collections::BTreeMap::new(), &tensors).unwrap();
        Checkpoint::load(&path).unwrap()
    };
    gpu.restore(&write(&cpu), 3).unwrap();
    let names: Vec<String> = cpu.state().unwrap().iter().map(|t| t.name.clone()).collect();
    for name in names.iter().filter(|name| !name.starts_with("ema")) {
        assert_eq!(state(&cpu, name), state(&gpu, name), "{name}");
    }
    for t in 3..5 {
        let want = cpu.step(&step(&bits, ids[0], t, 100, Some(0.01))).unwrap().loss;
        let got = gpu.step(&step(&bits, ids[1], t, 100, Some(0.01))).unwrap().loss;
        assert!((want - got).abs() < 1e-3 * want, "{got} for {want}");
    }
    // And back; the average as well.
    let mut again = setup.engine_of(&spec, Isa::best(), 1);
    again.restore(&write(&gpu), 5).unwrap();
    for swapped in [false, true] {
        for block in again.layout().params.ids() {
            let (a, b) = (again.read(block).unwrap(), gpu.read(block).unwrap());
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{block:?}, swapped {swapped}");
        }
        again.swap_average().unwrap();
        gpu.swap_average().unwrap();
    }
    let mut shown =
        CudaEngine::new(Device::Cuda(0), &spec, &options(Purpose::Train), device(0).unwrap()).unwrap();
    shown.restore_weights(&write(&gpu), 5, None).unwrap();
    for block in gpu.layout().params.ids() {
        assert_eq!(shown.read(block).unwrap(), gpu.read(block).unwrap());
    }
}

/// More samples than there is room for: some rays are left out once, then there is room.
#[test]
fn room_for_samples_grows() {
    if device(0).is_none() {
        return;
    }
    let setup = setup();
    let spec = setup.spec();
    let cpu = setup.engine(Isa::best(), 1);
    let mut gpu = twin(0, &spec, &cpu);
    let views = gpu.add_views(views()).unwrap();
    let bits = Bitfield::new(1, true);
    gpu.arena.capacity = 1000;
    let first = gpu.step(&step(&bits, views, 0, 150, None)).unwrap();
    assert!(first.samples <= 1000 && first.loss.is_finite(), "{first:?}");
    let second = gpu.step(&step(&bits, views, 0, 150, None)).unwrap();
    assert!(second.samples > 1000 && gpu.arena.capacity > second.samples, "{second:?}");
}
