//! The engine on the processor as a GPU, against the engine of the processor.
#![allow(clippy::unwrap_used)]

mod draw;
mod faults;
mod fields;
mod looks;
mod training;

use super::*;
use crate::engine::cpu::tests::Setup;
use crate::engine::cpu::tests::shots::{Given, Shots};
use crate::gpu::shim::{Compiled, ShimGpu};
use crate::ops::small_gemm::Precision;
use crate::simd::Isa;

/// An engine whose device is the processor, with the same values as `like`. Threads of a block run in this order.
fn twin<'a>(compiled: &'a Compiled, order: u32, spec: &FieldSpec, like: &dyn TrainEngine) -> CudaEngine<'a> {
    let mut engine = CudaEngine::new(Device::Cuda(0), spec, Box::new(ShimGpu::new(compiled, order))).unwrap();
    for block in like.layout().params.ids() {
        engine.write(block, &like.read(block).unwrap()).unwrap();
    }
    engine
}

/// A field in another precision; tables' moments are packed where only that is offered.
fn in_precision(setup: &Setup, precision: Precision) -> FieldSpec {
    FieldSpec { precision, ..setup.spec() }
}

/// A state tensor's values.
fn state(engine: &dyn TrainEngine, name: &str) -> Vec<f64> {
    let tensors = engine.state().unwrap();
    let tensor = tensors.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no {name}"));
    match &tensor.data {
        StateData::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
        StateData::U32(values) => values.iter().map(|v| f64::from(*v)).collect(),
    }
}

/// `||a - b|| / ||b||`.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied()).max(1e-30)
}
