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
    let mut params = Params::default();
    let dense = params.group(Group { decay: 0.1, ..Group::new("dense") });
    let sparse = params.group(Group { sparse: true, ..Group::new("sparse") });
    let packed = params.group(Group { sparse: true, packed: true, ..Group::new("packed") });
    let frozen = params.group(Group { frozen: true, ..Group::new("frozen") });
    for (name, shape, group) in [
        ("d", vec![7, 5], dense),
        ("s", vec![61, 3], sparse),
        ("f", vec![9], frozen),
        ("t", vec![50], sparse),
        ("p", vec![77], packed),
    ] {
        let mut rng = TestRng::new(name.len() as u64 + shape[0] as u64);
        let start: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal() as f32).collect();
        params.block(BlockSpec { name: name.into(), shape, group }, |i| start[i]);
    }
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
        let group = &groups[block.spec.group];
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
    for ((name, shape, left), (other, _, right)) in left.iter().zip(&right) {
        assert_eq!(name, other);
        match (left, right) {
            (TensorData::F32(left), TensorData::F32(right)) => {
                assert_eq!(left.len(), shape.iter().product::<usize>());
                if let Err(e) = bit_equal(left, right) {
                    panic!("{name}: {e}");
                }
            }
            (TensorData::U32(left), TensorData::U32(right)) => assert_eq!(left, right, "{name}"),
            _ => panic!("{name}: types differ"),
        }
    }
}

fn write(params: &Params, path: &Path) -> Checkpoint {
    save(path, &BTreeMap::new(), &params.tensors()).unwrap();
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
        bit_equal(&current(&params, block), params.weight(block)).unwrap();
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
    let mut other = params(None);
    let group = other.blocks()[0].spec.group;
    other.block(BlockSpec { name: "extra".into(), shape: vec![3], group }, |_| 0.0);
    let error = other.restore(&checkpoint, 1).unwrap_err();
    assert!(matches!(&error.problem, CheckpointProblem::NoTensor(name) if name == "extra"), "{error}");
    // A matrix on its side has as many values, and another meaning.
    let mut turned = Params::default();
    let group = turned.group(Group::new("dense"));
    turned.block(BlockSpec { name: "d".into(), shape: vec![5, 7], group }, |_| 0.0);
    let error = turned.restore(&checkpoint, 1).unwrap_err();
    assert!(matches!(&error.problem, CheckpointProblem::Shape { name, .. } if name == "d"), "{error}");
}
