//! Rays drawn from views.

use super::*;
use crate::engine::cpu::draw::Drawn;
use crate::engine::{Background, DepthImage, Draw, FeatureMap, Key, PixelImage, Poses, Space};
use crate::ops::cast::{Lens, RayCamera};
use crate::ops::march::{Bitfield, Steps, Volume};
use std::sync::Arc;

const SIDE: u32 = 24;

/// A camera in front of the box, and the pixel's number as its color.
fn view(camera: u32) -> TrainView {
    let camera = RayCamera {
        origin: [0.5, 0.5, 1.5 + 0.1 * camera as f32],
        axes: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]],
        focal: [30.0, 30.0],
        principal: [12.0, 12.0],
        lens: Lens::Pinhole,
    };
    let data = (0..SIDE * SIDE).flat_map(|i| [(i % 256) as u8, (i / 256) as u8, 7]).collect::<Arc<[u8]>>();
    let pixels = PixelImage { width: SIDE, height: SIDE, channels: 3, data };
    TrainView { camera, pixels, kept: None, points: Arc::new([]), depth: None, maps: Vec::new() }
}

fn draw<'a>(bits: &'a Bitfield, views: ViewsId) -> Draw<'a> {
    let volume = Volume { side: 1.0, steps: Steps::new(256, 1), near: 0.05 };
    Draw {
        views,
        rays: 4000,
        key: Key { seed: 2, step: 7 },
        background: Background::Color([1.0; 3]),
        point_share: 0.2,
        poses: Poses::Given,
        space: Space { bits, volume },
    }
}

/// The rays and targets of a draw.
fn drawn(engine: &CpuEngine, draw: &Draw<'_>) -> Vec<(Ray, Vec<f32>)> {
    let views = engine.views.get(draw.views).unwrap();
    let drawn = Drawn::new(views, &engine.field, draw);
    let one = |index| {
        drawn.prefetch(index);
        let mut target = vec![f32::NAN; engine.field.targets.width()];
        (drawn.ray(index, &mut target), target)
    };
    (0..draw.rays).map(one).collect()
}

fn pixel(target: &[f32]) -> u32 {
    let [low, high] = [0, 1].map(|i| (target[i] * 255.0).round() as u32);
    high * 256 + low
}

/// Of a masked view only what counts is drawn, of the others everything, all alike.
#[test]
fn masked_pixels_are_never_drawn() {
    let mut engine = Setup::default().engine(Isa::best(), 1);
    let mut views = vec![view(0), view(1)];
    views[0].kept = Some((0..SIDE * SIDE).filter(|i| i % 5 == 2).collect());
    let id = engine.add_views(views).unwrap();
    let bits = Bitfield::new(1, true);
    let mut seen = [0; 2];
    for (ray, target) in drawn(&engine, &draw(&bits, id)) {
        let pixel = pixel(&target);
        assert!(ray.camera == 1 || pixel % 5 == 2, "{pixel}");
        assert_eq!(target[3..], [1.0; 4], "opaque on white");
        // Through the middle of its pixel.
        let at = [pixel % SIDE, pixel / SIDE].map(|c| (f64::from(c) + 0.5 - 12.0) / 30.0);
        let slope = [ray.direction[0] / -ray.direction[2], -ray.direction[1] / -ray.direction[2]];
        assert!((0..2).all(|a| (f64::from(slope[a]) - at[a]).abs() < 1e-5));
        seen[ray.camera as usize] += 1;
    }
    assert!(seen.iter().all(|n| *n > 1800), "{seen:?}");
}

/// Depth along the axis becomes distance along the ray; a point tells that of its own pixel.
#[test]
fn known_distances_are_those_along_the_rays() {
    let mut engine = Setup { spread: [0.0, 0.5], ..Setup::default() }.engine(Isa::best(), 1);
    let mut known = view(0);
    let told = 4 * SIDE + 10;
    known.points = Arc::new([(told, 2.5)]);
    known.depth = Some(DepthImage { data: vec![3.0; (SIDE * SIDE) as usize].into(), scale: 0.5 });
    let id = engine.add_views(vec![known]).unwrap();
    let bits = Bitfield::new(1, true);
    let mut of_point = 0;
    for (ray, target) in drawn(&engine, &draw(&bits, id)) {
        let by_depth = 1.5 / -ray.direction[2];
        let is_point = (target[7] - 2.5).abs() < 1e-6;
        of_point += usize::from(is_point);
        assert!(is_point && pixel(&target) == told || (target[7] - by_depth).abs() < 1e-5, "{target:?}");
    }
    assert!((600..1000).contains(&of_point), "{of_point} of 4000: a fifth");
}

/// A function of key and index: another step, other rays; another background, the same rays.
#[test]
fn rays_follow_from_the_key() {
    let mut engine = Setup::default().engine(Isa::best(), 1);
    let id = engine.add_views(vec![view(0), view(1)]).unwrap();
    let bits = Bitfield::new(1, true);
    let first = draw(&bits, id);
    let all = drawn(&engine, &first);
    assert_eq!(all, drawn(&engine, &first));
    let later = drawn(&engine, &Draw { key: Key { step: 8, ..first.key }, ..first });
    assert!(all.iter().zip(&later).filter(|(a, b)| a.0 == b.0).count() < 10);
    let colored = drawn(&engine, &Draw { background: Background::Random, ..first });
    assert!(all.iter().zip(&colored).all(|(a, b)| a.0 == b.0));
    assert_ne!(colored[0].1[4..], colored[1].1[4..]);
}

/// Corrections move rays: those that are given, and those that the field has learnt.
#[test]
fn cameras_are_where_they_are_said_to_be() {
    let mut engine = Setup { pose: true, ..Setup::default() }.engine(Isa::best(), 1);
    let id = engine.add_views(vec![view(0), view(1), view(2)]).unwrap();
    let bits = Bitfield::new(1, true);
    let first = draw(&bits, id);
    let rows = [[0.0, 0.0, 0.0, 0.25, 0.0, 0.0]; 3];
    let poses = engine.layout.handles.poses.unwrap();
    engine.write(poses, &rows.concat()).unwrap();
    let learnt = engine.read(poses).unwrap();
    let given = drawn(&engine, &first);
    for poses in [Poses::Corrected(&rows), Poses::Learnt] {
        let Some(views) = engine.views.get_mut(id) else { panic!("held") };
        views.place(poses, Some(&learnt));
        for ((a, _), (b, _)) in given.iter().zip(drawn(&engine, &first)) {
            assert_eq!((b.origin[0] - a.origin[0], b.direction), (0.25, a.direction));
        }
    }
}

/// A map of fewer places than pixels tells a head's channels, by name and not by order.
#[test]
fn maps_are_looked_up_for_their_heads() {
    let mut spec = Setup::default().spec();
    let slots = [2, 3].map(|channels| spec.slot(channels));
    for (slot, name) in slots.into_iter().zip(["a", "b"]) {
        let network = MlpSpec {
            name: name.into(),
            ray_input: None,
            input: SlotId(1),
            inputs: 16,
            width: 16,
            hidden: 1,
            output: slot,
            detach: true,
        };
        let last = spec.stages.len() - 1;
        spec.stages.insert(last, StageSpec::Mlp(network));
        let loss = HeadLoss::Channels(Penalty::Mse);
        let head = Head { name: name.into(), input: slot, loss, ..spec.heads[0].clone() };
        spec.heads.push(head);
    }
    let mut engine = CpuEngine::with_isa(&spec, &workers(1), Isa::best()).unwrap();
    let map = |head: &str, side: u32, channels: u32| FeatureMap {
        head: head.into(),
        width: side,
        height: side,
        data: (0..side * side * channels).map(|i| i as f32).collect(),
    };
    let mut with = view(0);
    with.maps = vec![map("other", 1, 1), map("b", 24, 3), map("a", 4, 2)];
    let id = engine.add_views(vec![with.clone()]).unwrap();
    let bits = Bitfield::new(1, true);
    for (_, target) in drawn(&engine, &draw(&bits, id)) {
        let pixel = pixel(&target);
        let place = (pixel / SIDE / 6 * 4 + pixel % SIDE / 6) as f32;
        assert_eq!(target[7..9], [2.0 * place, 2.0 * place + 1.0]);
        assert_eq!(target[9..], [0.0, 1.0, 2.0].map(|c| 3.0 * pixel as f32 + c));
    }
    let step = Step {
        batch: Batch::Drawn(draw(&bits, id)),
        rate: 1e-3,
        progress: 0.0,
        pruning: None,
        pose_levels: 0,
    };
    assert!(engine.step(&step).unwrap().loss.is_finite());
    // What does not fit is named.
    let refused =
        |engine: &mut CpuEngine, view: TrainView| engine.add_views(vec![view]).unwrap_err().to_string();
    with.maps.pop();
    assert!(
        refused(&mut engine, with.clone()).contains("view 0")
            && refused(&mut engine, with.clone()).contains("`a`")
    );
    with.maps.push(map("a", 4, 3));
    assert!(refused(&mut engine, with.clone()).contains("2 values a place"));
    let far = TrainView { kept: Some(Arc::new([SIDE * SIDE])), ..view(0) };
    assert!(refused(&mut engine, far).contains("does not have"));
    engine.remove_views(id);
    assert!(engine.step(&step).unwrap_err().to_string().contains("views"));
}
