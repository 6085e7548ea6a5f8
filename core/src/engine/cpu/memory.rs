//! What a field's training takes on the processor, counted from its spec.

use crate::engine::{EngineError, EngineMemory};
use crate::field::{Encoding, FieldSpec};

/// Bytes of an f32.
const VALUE: u64 = 4;
/// Position, distance, length and ray of a sample, staged and packed.
const PER_SAMPLE: u64 = 12;

/// Bytes for parameters, and for steps of `samples` samples on `threads` workers.
pub(in crate::engine) fn memory(
    spec: &FieldSpec,
    samples: usize,
    threads: usize,
) -> Result<EngineMemory, EngineError> {
    let layout = spec.layout()?;
    let groups = layout.params.groups();
    let mut parameters = 0;
    for block in layout.params.blocks() {
        let (values, group) = (block.values() as u64, &groups[block.group.index()]);
        // Weight and two moments; packed ones share a word.
        parameters += values * if group.packed { 2 } else { 3 };
        if spec.average.is_some() {
            // Beside its values, a step for each line.
            parameters += values * 17 / 16;
        }
    }
    let tables = layout.handles.tables.iter().map(|table| layout.params.blocks()[table.index()].values());
    let largest = tables.max().unwrap_or(0) as u64;
    // Of tables: encodings of the rounds as levels and as rows, gradients as levels. Of others, rows. And samples of the
    // rounds and of whole rays.
    let copies = if let Encoding::HashGrid { .. } = spec.encoding { 3 } else { 1 };
    let per_sample = copies * spec.encoding.outputs() as u64 + 2 * PER_SAMPLE;
    Ok(EngineMemory {
        parameters: VALUE * parameters,
        batch: VALUE * (samples as u64 * per_sample + threads as u64 * largest),
    })
}
