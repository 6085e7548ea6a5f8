//! Poses are learnt, and traced, as on the processor.

use super::training::{follow, setup, step, views};
use super::*;
use crate::engine::cpu::tests::shots::CAMERAS;
use crate::engine::{Batch, Draw, Poses};
use crate::gpu::params::LossScale;
use crate::params::GroupSettings;

fn shots() -> Shots {
    Shots::new(3, 1.0, (0..60).map(|i| [0, 1, 7, 20, 90][i % 5]))
}

/// The sums of a camera in one vector.
fn flat(sums: &[[f64; 6]]) -> Vec<f64> {
    sums.as_flattened().to_vec()
}

/// Tracing gives what the processor's gives, teaches nothing, and needs no engine that was opened to train.
#[test]
fn traces_are_the_processors() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { pose: true, colors: true, min_transmittance: 0.05, size: 2.0, ..Setup::default() };
    let mut spec = setup.spec();
    spec.cameras.trace = true;
    let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
    let given = shots().given(7);
    for levels in [usize::MAX, 2, 0] {
        let input = Step { pose_levels: levels, ..given.step(1e-2) };
        let (mut want, mut got) = ([[0.0; 6]; CAMERAS], [[7.0; 6]; CAMERAS]);
        let traced = cpu.trace(&input, &mut want).unwrap();
        for (precision, purpose, tolerance) in [
            (Precision::F32, Purpose::Train, 1e-4),
            (Precision::F32, Purpose::Look, 1e-4),
            (Precision::F16, Purpose::Look, 0.05),
        ] {
            let spec = FieldSpec { precision, ..spec.clone() };
            let mut gpu =
                CudaEngine::new(Device::Cuda(0), &spec, &options(purpose), device(0).unwrap()).unwrap();
            let blocks: Vec<_> = gpu.layout().params.ids().collect();
            let all = |engine: &dyn TrainEngine| -> Vec<_> {
                blocks.iter().map(|block| engine.read(*block).unwrap()).collect()
            };
            blocks.iter().for_each(|block| gpu.write(*block, &cpu.read(*block).unwrap()).unwrap());
            // Twice: nothing is left behind.
            for _ in 0..2 {
                let stats = gpu.trace(&input, &mut got).unwrap();
                assert!(
                    (stats.loss - traced.loss).abs() < tolerance * traced.loss,
                    "{stats:?} for {traced:?}"
                );
                let off = difference(&flat(&got), &flat(&want));
                assert!(off < tolerance, "{levels} levels in {precision:?}: off by {off}");
            }
            assert_eq!((gpu.step_count(), all(&gpu)), (0, all(&cpu)));
        }
    }
    // A step after a trace learns what it learns without one.
    let mut plain = twin(0, &spec, &cpu);
    let mut traced = twin(0, &spec, &cpu);
    traced.trace(&given.step(1e-2), &mut [[0.0; 6]; CAMERAS]).unwrap();
    for engine in [&mut plain, &mut traced] {
        engine.step(&given.step(1e-2)).unwrap();
    }
    for block in plain.layout().params.ids() {
        assert_eq!(plain.read(block).unwrap(), traced.read(block).unwrap());
    }
}

/// A loss scale that is too large for half precision falls until the gradients hold.
#[test]
fn a_trace_that_breaks_is_repeated_with_a_smaller_scale() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { pose: true, ..Setup::default() };
    let mut cpu = setup.engine(Isa::best(), 1);
    let mut gpu = twin(0, &in_precision(&setup, Precision::F16), &cpu);
    let (mut want, mut got) = ([[0.0; 6]; CAMERAS], [[0.0; 6]; CAMERAS]);
    let given = shots().given(7);
    cpu.trace(&given.step(0.0), &mut want).unwrap();
    let high = LossScale { scale: 1e9, steps: 5 };
    gpu.gpu.upload(gpu.arena.scale, bytemuck::bytes_of(&high)).unwrap();
    gpu.trace(&given.step(0.0), &mut got).unwrap();
    let mut scale = LossScale::default();
    gpu.gpu.download(gpu.arena.scale, bytemuck::bytes_of_mut(&mut scale)).unwrap();
    assert!(scale.scale < 1e9, "{scale:?}");
    let off = difference(&flat(&got), &flat(&want));
    assert!(off < 0.05, "off by {off} at {scale:?}");
}

#[test]
fn fields_that_do_not_trace_and_too_many_cameras_are_refused() {
    if device(0).is_none() {
        return;
    }
    let given = shots().given(7);
    let refused = |setup: &Setup, cameras: usize| {
        let cpu = setup.engine(Isa::best(), 1);
        let mut gpu = twin(0, &setup.spec(), &cpu);
        gpu.trace(&given.step(0.0), &mut vec![[0.0; 6]; cameras]).err().map(|error| error.to_string())
    };
    assert!(refused(&Setup::default(), CAMERAS).is_some_and(|e| e.contains("does not trace")));
    let poses = Setup { pose: true, ..Setup::default() };
    assert!(refused(&poses, CAMERAS - 1).is_some_and(|e| e.contains("cameras")));
    assert_eq!(refused(&poses, CAMERAS), None);
}

/// Corrections move the cameras of a draw: those that are given, and those that the field has learnt.
#[test]
fn moved_cameras_rays_are_the_processors() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { pose: true, spread: [0.0, 0.3], size: 0.5, ..Setup::default() };
    let mut spec = setup.spec();
    spec.cameras.count = 8;
    let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
    let mut gpu = twin(0, &spec, &cpu);
    let mut views = views();
    for view in &mut views {
        view.depth = Some(crate::engine::DepthImage { data: vec![1.3; 400].into(), scale: 1.0 });
    }
    let ids = [cpu.add_views(views.clone()).unwrap(), gpu.add_views(views).unwrap()];
    let bits = Bitfield::new(1, true);
    // Fewer than there are cameras: a large turn, one too small for quotients, none.
    let rows = [[0.9, -1.1, 0.4, 0.1, 0.0, -0.1], [1e-4, 2e-4, -1e-4, 0.0, 0.2, 0.0], [0.0; 6]];
    for poses in [Poses::Given, Poses::Learnt, Poses::Corrected(&rows)] {
        let input = |views| {
            let Step { batch: Batch::Drawn(draw), .. } = step(&bits, views, 3, 600, None) else {
                unreachable!()
            };
            Step { batch: Batch::Drawn(Draw { poses, ..draw }), ..step(&bits, views, 3, 600, None) }
        };
        let mut sums = [[[0.0; 6]; 8]; 2];
        cpu.trace(&input(ids[0]), &mut sums[0]).unwrap();
        gpu.trace(&input(ids[1]), &mut sums[1]).unwrap();
        let (want_rays, want_targets) = cpu.drawn();
        let (got_rays, got_targets) = draw::drawn(&gpu, 600);
        for (want, got) in want_rays.iter().zip(&got_rays) {
            let near = |a: f32, b: f32| (a - b).abs() < 2e-6 * b.abs().max(1.0) || a == b;
            let same = (0..3)
                .all(|a| near(got.direction[a], want.direction[a]) && near(got.origin[a], want.origin[a]));
            assert!(same && got.camera == want.camera && near(got.near, want.near), "{got:?} for {want:?}");
        }
        for (want, got) in want_targets.iter().zip(&got_targets) {
            assert!((want - got).abs() <= 1e-5 * want.abs(), "{got} for {want}");
        }
        // Where a ray grazes a cell's face the one may have a sample more.
        let off = difference(&flat(&sums[1]), &flat(&sums[0]));
        assert!(off < 0.01, "{poses:?}: off by {off}");
    }
}

/// With rates that rise and fall, levels that come one after the other, and what all cameras have in common taken out as
/// the trainer does.
#[test]
fn fifty_steps_with_poses_follow_the_processor() {
    if device(0).is_none() {
        return;
    }
    let setup = Setup { pose: true, colors: true, ..setup() };
    let mut spec = setup.spec();
    spec.cameras.count = 8;
    spec.optimizer.packed_tables = true;
    let mut cpu = setup.engine_of(&spec, Isa::best(), 1);
    let poses = cpu.layout().handles.poses.unwrap();
    let start: Vec<f32> = cpu.read(poses).unwrap().iter().map(|v| 0.3 * v).collect();
    cpu.write(poses, &start).unwrap();
    let mut gpu = twin(0, &spec, &cpu);
    let mut half = twin(0, &FieldSpec { precision: Precision::F16, ..spec.clone() }, &cpu);
    let bits = Bitfield::new(1, true);
    let run = |engine: &mut dyn TrainEngine| {
        let views = engine.add_views(views()).unwrap();
        let group = engine.layout().params.group_of(poses);
        let losses: Vec<f64> = (0..50u64)
            .map(|t| {
                let rate = 0.1 * (t as f32 / 5.0).min(1.0);
                engine.set_group(group, GroupSettings { rate, decay: 0.1, frozen: false });
                let input = Step { pose_levels: 2 + t as usize / 20, ..step(&bits, views, t, 100, None) };
                let loss = engine.step(&input).unwrap().loss;
                let mut values = engine.read(poses).unwrap();
                for column in 0..6 {
                    let mean = values.iter().skip(column).step_by(6).sum::<f32>() / 8.0;
                    values.iter_mut().skip(column).step_by(6).for_each(|v| *v -= mean);
                }
                engine.write(poses, &values).unwrap();
                loss
            })
            .collect();
        let end: Vec<f64> = engine.read(poses).unwrap().iter().map(|v| f64::from(*v)).collect();
        (losses, end)
    };
    let (want, want_poses) = run(&mut cpu);
    let start: Vec<f64> = start.iter().map(|v| f64::from(*v)).collect();
    assert!(difference(&want_poses, &start) > 0.1, "poses move");
    let runs = [("f32", run(&mut gpu), 1e-3, 0.05, 0.02), ("f16", run(&mut half), 0.02, 0.15, 0.2)];
    for (name, (got, got_poses), first, course, poses) in runs {
        follow(&format!("poses in {name}"), &want, &got, first, course);
        let off = difference(&got_poses, &want_poses);
        assert!(off < poses, "{name}: poses are off by {off}");
    }
}
