//! Rays are drawn through the same pixels as on the processor, through every lens.

use super::*;
use crate::engine::{Background, Batch, DepthImage, Draw, Key, Poses, Space};
use crate::gpu::params::Ray as DeviceRay;
use crate::ops::cast::{Lens, Planar};
use crate::ops::march::{Steps, Volume};

/// The rays and targets of the last step.
pub fn drawn(engine: &CudaEngine<'_>, n: usize) -> (Vec<DeviceRay>, Vec<f32>) {
    let columns = engine.plan.target_columns as usize;
    let (mut rays, mut targets) = (vec![DeviceRay::default(); n], vec![0.0f32; n * columns]);
    engine.gpu.download(engine.arena.rays, bytemuck::cast_slice_mut(&mut rays)).unwrap();
    engine.gpu.download(engine.arena.targets, bytemuck::cast_slice_mut(&mut targets)).unwrap();
    (rays, targets)
}

#[test]
fn rays_are_the_processors_through_every_lens() {
    if device(0).is_none() {
        return;
    }
    let terms =
        Planar { above: [0.05, -0.02, 0.01, 0.0], below: [0.02, 0.0, 0.0], p: [1e-3; 2], s: [1e-3, 0.0] };
    let lenses = [
        Lens::Pinhole,
        Lens::Radial { k: [0.06, -0.08, 0.01], p: [-1e-3, 2e-4], limit: 2.0 },
        Lens::Planar { terms, limit: 2.0 },
        Lens::Fisheye { k: [0.03, -0.01, 0.0, 0.0], limit: 2.0 },
        Lens::FisheyePlanar { terms: Planar { below: [0.0; 3], ..terms }, limit: 2.0 },
        // A lens that folds inside the picture.
        Lens::Radial { k: [-0.9, 0.0, 0.0], p: [0.0; 2], limit: (1.0f64 / 2.7).sqrt() },
    ];
    let mut views = training::views();
    for (view, lens) in views.iter_mut().zip(lenses) {
        view.camera.lens = lens;
    }
    views[0].kept = Some((0..300).filter(|i| i % 7 == 3).collect());
    views[1].points = (0..50).map(|i| (3 * i, 0.5 + i as f32)).collect();
    let depths = (0..400).map(|i| if i % 3 == 0 { 0.0 } else { 1.0 + i as f32 }).collect();
    views[2].depth = Some(DepthImage { data: depths, scale: 0.25 });
    // The processor's rays are seen in its gradients only; so both are asked for what they draw through their losses.
    let setup = Setup { spread: [0.0, 0.3], min_transmittance: 1e-4, size: 0.5, ..Setup::default() };
    let mut cpu = setup.engine(Isa::best(), 1);
    let mut gpu = twin(0, &setup.spec(), &cpu);
    let ids = [cpu.add_views(views.clone()).unwrap(), gpu.add_views(views.clone()).unwrap()];
    let bits = Bitfield::new(1, true);
    let volume = Volume { side: 1.0, steps: Steps::new(64, 1), near: 0.05 };
    for background in [Background::Random, Background::Color([0.1, 0.5, 0.9])] {
        let draw = |views| Draw {
            views,
            rays: 1000,
            key: Key { seed: 0x1234_5678_9abc_def0, step: 3 << 33 },
            background,
            point_share: 0.3,
            poses: Poses::Given,
            space: Space { bits: &bits, volume },
        };
        let step = |views| Step {
            batch: Batch::Drawn(draw(views)),
            rate: 0.0,
            progress: 0.0,
            pruning: None,
            pose_levels: usize::MAX,
        };
        let (want, got) = (cpu.step(&step(ids[0])).unwrap(), gpu.step(&step(ids[1])).unwrap());
        assert!((want.loss - got.loss).abs() < 1e-4 * want.loss, "{} for {}", got.loss, want.loss);
        assert!((want.spread[1] - got.spread[1]).abs() < 1e-4 * want.spread[1], "{got:?} for {want:?}");
        let (want_rays, want_targets) = cpu.drawn();
        let (got_rays, got_targets) = drawn(&gpu, 1000);
        for (want, got) in want_rays.iter().zip(&got_rays) {
            assert_eq!((want.camera, want.origin), (got.camera, got.origin));
            let near = |a: f32, b: f32| {
                (a - b).abs() < 1e-6 * b.abs().max(1.0) || (a.is_infinite() && b.is_infinite())
            };
            assert!((0..3).all(|a| near(got.direction[a], want.direction[a])), "{got:?} for {want:?}");
            assert!(near(got.near, want.near) && near(got.far, want.far), "{got:?} for {want:?}");
        }
        for (want, got) in want_targets.iter().zip(&got_targets) {
            assert!((want - got).abs() <= 1e-5 * want.abs(), "{got} for {want}");
        }
    }
}
