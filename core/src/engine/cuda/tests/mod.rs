//! The engine on the processor as a GPU, against the engine of the processor.
#![allow(clippy::unwrap_used)]

mod altered;
mod draw;
mod far;
mod faults;
mod fields;
mod looks;
mod poses;
mod training;

use super::*;
use crate::engine::Pool;
use crate::engine::cpu::tests::Setup;
use crate::engine::cpu::tests::shots::{Given, Shots};
use crate::gpu::shim::{Compiled, ShimGpu};
use crate::ops::march::Bitfield;
use crate::ops::small_gemm::Precision;
use crate::simd::Isa;

/// Names a device to run these tests on instead of the processor: `0` for the first one.
const DEVICE: &str = "NERVE_TEST_CUDA";

/// What runs kernels here: the CUDA device that is asked for, or the processor, threads of a block in this order; `None`
/// where it has no C++ compiler.
fn device(order: u32) -> Option<Box<dyn Gpu>> {
    match std::env::var(DEVICE) {
        Ok(ordinal) => {
            let open = || Cuda::open(&cuda_device(ordinal.parse().unwrap()).unwrap()).unwrap();
            // One stays open, or every test would wait for the device to be set up anew.
            static FIRST: std::sync::Once = std::sync::Once::new();
            FIRST.call_once(|| std::mem::forget(open()));
            Some(Box::new(open()))
        }
        Err(_) => Some(Box::new(ShimGpu::new(Compiled::get()?, order))),
    }
}

fn options(purpose: Purpose) -> Options {
    Options { purpose, pool: Pool::new(1).unwrap() }
}

/// An engine with the same values as `like`.
fn twin(order: u32, spec: &FieldSpec, like: &dyn TrainEngine) -> CudaEngine<'static> {
    let mut engine =
        CudaEngine::new(Device::Cuda(0), spec, &options(Purpose::Train), device(order).unwrap()).unwrap();
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
