//! An engine that was opened to look: it shows what the one in training shows, and has nothing to train with.

use super::super::pool::lock;
use super::*;
use crate::checkpoint::{Checkpoint, save};
use crate::ops::check::bit_equal;
use std::collections::BTreeMap;
use std::mem::discriminant;

/// A trained engine, what it saved, and an engine opened to look at that.
fn pair(setup: &Setup, trace: bool) -> (CpuEngine, Checkpoint, CpuEngine) {
    let mut spec = setup.spec();
    spec.cameras.trace = trace;
    let mut trained = setup.engine_of(&spec, Isa::best(), 2);
    for seed in 1..4 {
        step(&mut trained, &Shots::new(seed, 1.0, [20; 60]), 1e-2);
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("checkpoint.safetensors");
    let state = trained.state().unwrap();
    let tensors: Vec<_> = state.iter().map(StateTensor::tensor).collect();
    save(&path, &BTreeMap::new(), &tensors).unwrap();
    let checkpoint = Checkpoint::load(&path).unwrap();
    let options = Options { purpose: Purpose::Look, ..workers(2) };
    let mut seen = CpuEngine::with_isa(&spec, &options, Isa::best()).unwrap();
    seen.restore_weights(&checkpoint, 3, spec.average).unwrap();
    (trained, checkpoint, seen)
}

#[test]
fn it_shows_the_same_bits() {
    for (average, saliency) in [(None, None), (Some(0.9), None), (None, Some(4))] {
        let setup = Setup { average, saliency, min_transmittance: 0.1, ..Setup::default() };
        let (mut trained, _, mut seen) = pair(&setup, saliency.is_none());
        trained.swap_average().unwrap();
        assert_eq!(seen.step_count(), 3);
        let shots = Shots::new(9, 1.0, (0..100).map(|i| i % 40));
        let shown = |engine: &mut CpuEngine| {
            let (given, mut out) = (shots.given(7), vec![f32::NAN; shots.len() * 5]);
            engine.render(&given.rays, given.source(), 0.1, &mut out).unwrap();
            let mut sigma = [f32::NAN; 4];
            engine.density([&[0.1, 0.2, 0.5, 0.9]; 3], &mut sigma).unwrap();
            out.extend(sigma);
            out
        };
        bit_equal(&shown(&mut trained), &shown(&mut seen)).unwrap();
        let traced = |engine: &mut CpuEngine| {
            let (given, mut sums) = (shots.given(engine.field.targets.width()), [[0.0; 6]; CAMERAS]);
            engine.trace(&given.step(0.0), &mut sums).map(|_| sums).map_err(|e| e.to_string())
        };
        let [a, b] = [&mut trained, &mut seen].map(traced);
        assert!(a == b && a.is_ok() == saliency.is_none(), "{a:?} {b:?}");
    }
}

#[test]
fn it_holds_weights_alone_and_refuses_to_train() {
    let setup = Setup { average: Some(0.9), ..Setup::default() };
    let (trained, checkpoint, mut seen) = pair(&setup, false);
    for (a, b) in trained.params.blocks().iter().zip(seen.params.blocks()) {
        assert_eq!(a.weight.len(), b.weight.len());
        assert!(a.average.is_some() && b.average.is_none(), "{}", b.spec.name);
        assert_eq!([b.grad.len(), b.m.len(), b.v.len(), b.packed.len()], [0; 4], "{}", b.spec.name);
    }
    assert!(trained.tables.iter().all(|table| !lock(table).is_empty()));
    assert!(seen.tables.iter().all(|table| lock(table).is_empty()));
    assert!(seen.groups.iter().all(|group| group.grads.is_empty()));
    let before = seen.read(seen.layout.params.ids().next().unwrap()).unwrap();
    let given = Shots::new(1, 1.0, [9; 5]);
    let given = given.given(seen.field.targets.width());
    let errors = [
        seen.step(&given.step(1e-2)).map(drop).unwrap_err(),
        seen.restore(&checkpoint, 3).unwrap_err(),
        seen.state().map(drop).unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(discriminant(error), discriminant(&EngineError::LookOnly { call: "" }), "{error}");
        assert!(error.to_string().contains("Purpose::Train"), "{error}");
    }
    assert_eq!(seen.step_count(), 3);
    bit_equal(&before, &seen.read(seen.layout.params.ids().next().unwrap()).unwrap()).unwrap();
}
