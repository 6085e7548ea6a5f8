//! Once its buffers have grown, a training step allocates nothing.

use nerve_core::device::{Device, DeviceKind};
use nerve_core::engine::{
    self, Background, Batch, Draw, Key, Options, PixelImage, Pool, Poses, Purpose, SampleSource, Space, Step,
    TrainView,
};
use nerve_core::ops::cast::{Lens, RayCamera};
use nerve_core::ops::march::{Bitfield, CELLS, Ray, SIDE, Steps, Volume, morton};
use nerve_core::rng::{Rng, Stream};
use nerve_nerf::NerfConfig;
use nerve_nerf::config::Method;
use nerve_nerf::field;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A ball of occupied cells.
fn ball() -> Bitfield {
    let mut bits = Bitfield::new(1, false);
    for cell in 0..CELLS {
        let place = morton::decode(cell as u32).map(|c| (c as f32 + 0.5) / SIDE as f32 - 0.5);
        bits.set(cell, place.iter().map(|p| p * p).sum::<f32>() < 0.09);
    }
    bits
}

/// A random ray through the volume, and its target.
fn ray(volume: &Volume, index: u32) -> (Ray, [f32; 7]) {
    let random = |word| Rng::new(1).uniform4(Stream::Pixels, word, index);
    let ([a, b, c, _], [d, e, f, _]) = (random(0), random(1));
    let (origin, end) = ([a, b, -0.5], [d, e, 1.0]);
    let delta: [f32; 3] = std::array::from_fn(|k| end[k] - origin[k]);
    let length = delta.iter().map(|d| d * d).sum::<f32>().sqrt();
    let ray = volume.ray((origin, delta.map(|d| d / length)), 0.0);
    (ray, [c, f, c, 1.0, 0.0, 0.0, 0.0])
}

/// A grey view of the ball.
fn view() -> TrainView {
    let camera = RayCamera {
        origin: [0.5, 0.5, 1.6],
        axes: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]],
        focal: [40.0; 2],
        principal: [16.0; 2],
        lens: Lens::Pinhole,
    };
    let pixels = PixelImage { width: 32, height: 32, channels: 3, data: vec![99; 32 * 32 * 3].into() };
    TrainView { camera, pixels, kept: None, points: Arc::new([]), depth: None, maps: Vec::new() }
}

#[test]
fn a_step_in_the_steady_state_allocates_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = NerfConfig::default();
    config.grid.log2_entries = 14;
    for (cut, method) in [(0.0, Method::Plain), (5e-3, Method::Plain), (5e-3, Method::Hollow)] {
        (config.march.cut, config.field.method) = (cut, method);
        let options = Options { purpose: Purpose::Train, pool: Pool::new(2)? };
        let mut engine = engine::open(Device::Cpu, &field::spec(&config, DeviceKind::Cpu, 1, 1), &options)?;
        let volume = Volume { side: 1.0, steps: Steps::new(512, 1), near: 0.0 };
        let bits = ball();
        let (rays, targets): (Vec<Ray>, Vec<_>) = (0..2000).map(|index| ray(&volume, index)).unzip();
        let targets = targets.concat();
        let samples = SampleSource::Space(Space { bits: &bits, volume });
        let draw = Draw {
            views: engine.add_views(vec![view()])?,
            rays: 2000,
            key: Key { seed: 1, step: 0 },
            background: Background::Random,
            point_share: 0.0,
            poses: Poses::Given,
            space: Space { bits: &bits, volume },
        };
        for batch in [Batch::Given { rays: &rays, targets: &targets, samples }, Batch::Drawn(draw)] {
            // A rate of zero: every step does the same.
            let pruning = Some(1e-9);
            let input = Step { batch, rate: 0.0, progress: 1.0, pruning, pose_levels: usize::MAX };
            for _ in 0..20 {
                assert!(engine.step(&input)?.samples > 50_000);
            }
            let region = Region::new(ALLOCATOR);
            for _ in 0..10 {
                assert!(engine.step(&input)?.loss.is_finite());
            }
            let change = region.change();
            // The workers' queue takes a block now and then.
            assert!(change.allocations + change.reallocations <= 2, "cut {cut}: {change:?}");
        }
    }
    Ok(())
}
