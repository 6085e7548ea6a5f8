//! What a field's training takes on a GPU, counted from its spec.

use super::arena::{ray_bytes, sample_bytes};
use super::plan::Plan;
use crate::device::Device;
use crate::engine::{EngineError, EngineMemory};
use crate::field::FieldSpec;

/// Bytes of shared memory that every device has that runs the kernels.
const SHARED: u32 = 163 << 10;

/// Rays that a step may draw for every sample in its batch, and samples that it marches beyond that.
const RAYS_PER_SAMPLE: f64 = 0.5;
const SLACK: f64 = 1.5;

/// Bytes for parameters, and for steps of `samples` samples.
pub(in crate::engine) fn memory(
    device: Device,
    spec: &FieldSpec,
    samples: usize,
) -> Result<EngineMemory, EngineError> {
    let layout = spec.layout()?;
    let plan = Plan::new(spec, &layout, device, SHARED)?;
    let groups = layout.params.groups();
    let average = if spec.average.is_some() { 4 } else { 0 };
    let bytes = |block: &crate::params::BlockSpec| {
        let moments = if groups[block.group.index()].packed { 4 } else { 8 };
        // Values, gradients, moments, and where there are any copies in half precision.
        let each = 4 + plan.value() + moments + average + if plan.half { 2 } else { 0 };
        (block.values() * each) as u64
    };
    let samples = SLACK * samples as f64;
    let batch = samples * (sample_bytes(&plan) as f64 + RAYS_PER_SAMPLE * ray_bytes(&plan) as f64);
    Ok(EngineMemory { parameters: layout.params.blocks().iter().map(bytes).sum(), batch: batch as u64 })
}
