#![allow(clippy::unwrap_used)]
use super::*;
use crate::checkpoint::{CheckpointProblem, save};
use crate::ops::adam::reference as adam;
use crate::ops::check::{TestRng, bit_equal, close, widen};
use crate::simd::Isa;
use std::collections::BTreeMap;
use std::path::Path;

/// Dense, sparse, packed and frozen blocks, none of whose lengths is a whole number of lines.
fn params(average: Option<f32>) -> Params {
    let mut layout = Layout::default();
    let settings = GroupSettings::default();
    let decaying = GroupSettings { decay: 0.1, ..settings };
    let dense = layout.group(Group { settings: decaying, ..Group::new("dense") });
    let sparse = layout.group(Group { sparse: true, ..Group::new("sparse") });
    let packed = layout.group(Group { sparse: true, packed: true, ..Group::new("packed") });
    let frozen =
        layout.group(Group { settings: GroupSettings { frozen: true, ..settings }, ..Group::new("frozen") });
    let mut starts = Vec::new();
    for (name, shape, group) in [
        ("d", vec![7, 5], dense),
        ("s", vec![61, 3], sparse),
        ("f", vec![9], frozen),
        ("t", vec![50], sparse),
        ("p", vec![77], packed),
    ] {
        let mut rng = TestRng::new(name.len() as u64 + shape[0] as u64);
        let start: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal() as f32).collect();
        let init = Init::Constant(0.0);
        starts.push((layout.block(BlockSpec { name: name.into(), shape, group, init }), start));
    }
    let mut params = Params::new(&layout, 0);
    starts.iter().for_each(|(block, start)| params.weight_mut(*block).copy_from_slice(start));
    if let Some(decay) = average {
        params.average(decay);
    }
    params
}

/// One step whose gradients follow from its number; a sparse block's are zero for whole lines at a time.
fn step(params: &mut Params) {
    params.step += 1;
    let t = params.step;
    let mut rng = TestRng::new(t);
    let (blocks, groups) = params.split();
    for block in blocks {
        let group = &groups[block.spec.group.index()];
        let mut grad: Vec<f32> = (0..block.weight.len()).map(|_| rng.normal() as f32).collect();
        if group.sparse {
            for line in grad.chunks_mut(8) {
                if rng.below(6) > 0 {
                    line.fill(0.0);
                }
            }
            block.update_from(Isa::best(), group, 1e-2, t, &mut grad);
        } else {
            block.grad.copy_from_slice(&grad);
            block.update(Isa::best(), group, 1e-2, t);
            assert!(block.grad.iter().all(|g| *g == 0.0));
        }
    }
}

fn current(params: &Params, block: usize) -> Values {
    let block = &params.blocks()[block];
    block.average.as_ref().unwrap().current(&block.weight, params.step)
}

fn assert_same(a: &Params, b: &Params) {
    assert_eq!(a.step, b.step);
    let (left, right) = (a.tensors(), b.tensors());
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(&right) {
        let StateTensor { name, shape, data } = left;
        assert_eq!(*name, right.name);
        match (data, &right.data) {
            (StateData::F32(left), StateData::F32(right)) => {
                assert_eq!(left.len(), shape.iter().product::<usize>());
                if let Err(e) = bit_equal(left, right) {
                    panic!("{name}: {e}");
                }
            }
            (StateData::U32(left), StateData::U32(right)) => assert_eq!(left, right, "{name}"),
            _ => panic!("{name}: types differ"),
        }
    }
}

fn write(params: &Params, path: &Path) -> Checkpoint {
    let state = params.tensors();
    save(path, &BTreeMap::new(), &state.iter().map(StateTensor::tensor).collect::<Vec<_>>()).unwrap();
    Checkpoint::load(path).unwrap()
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for average in [None, Some(0.95)] {
        let mut straight = params(average);
        (0..17).for_each(|_| step(&mut straight));
        let checkpoint = write(&straight, &folder.path().join("checkpoint.safetensors"));
        let mut resumed = params(average);
        resumed.restore(&checkpoint, 17).unwrap();
        assert_same(&straight, &resumed);
        for _ in 0..17 {
            step(&mut straight);
            step(&mut resumed);
        }
        assert_same(&straight, &resumed);
        if average.is_some() {
            (0..5).for_each(|b| bit_equal(&current(&straight, b), &current(&resumed, b)).unwrap());
        }
    }
}

#[test]
fn weights_alone_are_what_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for average in [None, Some(0.95)] {
        let mut trained = params(average);
        (0..17).for_each(|_| step(&mut trained));
        let checkpoint = write(&trained, &folder.path().join("checkpoint.safetensors"));
        let mut seen = params(None);
        seen.restore_weights(&checkpoint, 17, average).unwrap();
        trained.swap_average();
        assert_eq!(seen.step, 17);
        for (a, b) in seen.blocks().iter().zip(trained.blocks()) {
            bit_equal(&a.weight, &b.weight).unwrap();
        }
    }
}

/// Dense, sparse and frozen blocks alike: the average is the recurrence over every step.
#[test]
fn averages_follow_the_reference() {
    let mut params = params(Some(0.9));
    let mut want: Vec<Vec<f64>> = params.blocks().iter().map(|b| widen(&b.weight)).collect();
    for t in 1..=80 {
        step(&mut params);
        for (want, block) in want.iter_mut().zip(params.blocks()) {
            adam::average(f64::from(0.9f32), want, &widen(&block.weight));
        }
        if t % 16 == 0 {
            for (block, want) in want.iter().enumerate() {
                close(&current(&params, block), want, 1e-5, 1e-5).unwrap();
            }
        }
    }
    let moved = close(&params.blocks()[1].weight, &want[1], 1e-3, 1e-3);
    assert!(moved.is_err(), "the average should trail the weights");
}

#[test]
fn looking_at_averages_changes_nothing_that_follows() {
    let (mut plain, mut watched) = (params(Some(0.9)), params(Some(0.9)));
    for _ in 0..12 {
        step(&mut plain);
        step(&mut watched);
        let averages: Vec<Values> = (0..5).map(|b| current(&watched, b)).collect();
        watched.swap_average();
        for (block, average) in watched.blocks().iter().zip(&averages) {
            bit_equal(&block.weight, average).unwrap();
        }
        watched.swap_average();
        assert_same(&plain, &watched);
    }
}

#[test]
fn an_average_that_starts_late_knows_nothing_of_before() {
    let mut params = params(None);
    (0..9).for_each(|_| step(&mut params));
    params.average(0.8);
    for block in 0..5 {
        bit_equal(&current(&params, block), &params.blocks()[block].weight).unwrap();
    }
    let mut want: Vec<Vec<f64>> = params.blocks().iter().map(|b| widen(&b.weight)).collect();
    for _ in 0..9 {
        step(&mut params);
        for (want, block) in want.iter_mut().zip(params.blocks()) {
            adam::average(f64::from(0.8f32), want, &widen(&block.weight));
        }
    }
    for (block, want) in want.iter().enumerate() {
        close(&current(&params, block), want, 1e-5, 1e-5).unwrap();
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write(&params(None), &folder.path().join("plain.safetensors"));
    let error = params(Some(0.9)).restore(&checkpoint, 1).unwrap_err();
    assert!(matches!(&error.problem, CheckpointProblem::NoTensor(name) if name == "ema/d"), "{error}");
    // One block more than there is.
    let with = |name: &str, shape: Vec<usize>| {
        let mut layout = Layout::default();
        let group = layout.group(Group::new("dense"));
        layout.block(BlockSpec { name: name.into(), shape, group, init: Init::Constant(0.0) });
        Params::new(&layout, 0)
    };
    let error = with("extra", vec![3]).restore(&checkpoint, 1).unwrap_err();
    assert!(matches!(&error.problem, CheckpointProblem::NoTensor(name) if name == "extra"), "{error}");
    // A matrix on its side has as many values, and another meaning.
    let error = with("d", vec![5, 7]).restore(&checkpoint, 1).unwrap_err();
    assert!(matches!(&error.problem, CheckpointProblem::Shape { name, .. } if name == "d"), "{error}");
}

/// First values are functions of the seed and of the block's place: in bounds, and the same whatever comes behind.
#[test]
fn first_values_follow_from_the_seed_and_the_place() {
    let layout = |blocks: usize| {
        let mut layout = Layout::default();
        let group = layout.group(Group::new("dense"));
        for i in 0..blocks {
            let init = if i == 1 { Init::Constant(0.5) } else { Init::Uniform(0.25) };
            layout.block(BlockSpec { name: format!("{i}"), shape: vec![101], group, init });
        }
        layout
    };
    let (short, long, other) = (layout(2), layout(3), layout(3));
    assert_eq!((long.values(), long.values_by_group()), (303, vec![("dense", 303)]));
    let (a, b, c) = (Params::new(&short, 7), Params::new(&long, 7), Params::new(&other, 8));
    bit_equal(&a.blocks()[0].weight, &b.blocks()[0].weight).unwrap();
    assert!(a.blocks()[1].weight.iter().all(|w| *w == 0.5));
    assert_ne!(b.blocks()[0].weight, b.blocks()[2].weight);
    assert_ne!(b.blocks()[0].weight, c.blocks()[0].weight);
    let (low, high) = b.blocks()[2].weight.iter().fold((0f32, 0f32), |(l, h), w| (l.min(*w), h.max(*w)));
    assert!((-0.25..-0.2).contains(&low) && (0.2..0.25).contains(&high), "{low} {high}");
    // Index i takes word i % 4 of the block at i / 4.
    let word = crate::rng::Rng::new(7).uniform4(crate::rng::Stream::Init, 2, 100 / 4)[0];
    assert_eq!(b.blocks()[2].weight[100], 0.25 * (2.0 * word - 1.0));
}
