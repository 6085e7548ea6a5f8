//! The processor as a GPU on which something is not as usual: kernels with a fault, or samples and tables far behind the
//! start of their buffers.

use super::*;
use crate::engine::cuda::arena::{Arena, OUTCOME_BYTES};
use crate::gpu::params::{EncodeBackwardParams, EncodeParams, Range, TracePointsParams};
use crate::gpu::{Address, GpuError};

/// What is not as usual.
pub struct Altered<'a> {
    pub right: ShimGpu<'a>,
    /// Kernels of one op with a fault, and which of them run.
    pub wrong: Option<(ShimGpu<'a>, &'static [&'static str])>,
    pub far: Option<Far>,
}

/// Where a step's samples and the tables begin.
#[derive(Clone, Copy)]
pub struct Far {
    /// The place of the first sample: of those that are marched, and of those that count.
    pub sample: u32,
    /// So many values lie in front of the first table; they do not exist.
    pub table: u64,
}

impl Far {
    /// What a kernel is given of the tables: the place of a first value that does not exist.
    fn kernel(&self, name: &str, params: &[u8]) -> Option<Vec<u8>> {
        let before = |at: Address, bytes: u64| Address(at.0 - bytes * self.table);
        match name {
            "encode_f16" | "encode_f32" => {
                let mut given: EncodeParams = bytemuck::pod_read_unaligned(params);
                given.tables = before(given.tables, if name == "encode_f16" { 2 } else { 4 });
                Some(bytemuck::bytes_of(&given).to_vec())
            }
            "encode_backward_f16" | "encode_backward_f16_to_f32" | "encode_backward_f32" => {
                let mut given: EncodeBackwardParams = bytemuck::pod_read_unaligned(params);
                given.grads = before(given.grads, if name == "encode_backward_f16" { 2 } else { 4 });
                Some(bytemuck::bytes_of(&given).to_vec())
            }
            "trace_points_f16" | "trace_points_f32" => {
                let mut given: TracePointsParams = bytemuck::pod_read_unaligned(params);
                given.tables = before(given.tables, if name == "trace_points_f16" { 2 } else { 4 });
                Some(bytemuck::bytes_of(&given).to_vec())
            }
            _ => None,
        }
    }
}

impl Gpu for Altered<'_> {
    fn processors(&self) -> u32 {
        self.right.processors()
    }
    fn shared_memory(&self) -> u32 {
        self.right.shared_memory()
    }
    fn alloc(&mut self, bytes: usize) -> Result<Address, GpuError> {
        self.right.alloc(bytes)
    }
    fn free(&mut self, at: Address) {
        self.right.free(at);
    }
    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), GpuError> {
        self.right.upload(to, bytes)
    }
    fn download(&self, from: Address, out: &mut [u8]) -> Result<(), GpuError> {
        self.right.download(from, out)
    }
    fn clear(&mut self, at: Address, bytes: usize) -> Result<(), GpuError> {
        self.right.clear(at, bytes)?;
        let Some(far) = self.far.filter(|_| bytes == OUTCOME_BYTES) else { return Ok(()) };
        // A step begins.
        let mut arena = Arena::default();
        arena.outcome = at;
        let empty = Range { begin: far.sample, end: far.sample };
        self.right.upload(arena.marched(), bytemuck::bytes_of(&empty))?;
        self.right.upload(arena.kept(), bytemuck::bytes_of(&empty))
    }
    fn start(
        &mut self,
        name: &'static str,
        threads: u32,
        blocks: u32,
        shared: u32,
        params: &[u8],
    ) -> Result<(), GpuError> {
        let moved = self.far.and_then(|far| far.kernel(name, params));
        let gpu = match &mut self.wrong {
            Some((wrong, kernels)) if kernels.contains(&name) => {
                wrong.first_block = self.right.first_block;
                wrong
            }
            _ => &mut self.right,
        };
        gpu.start(name, threads, blocks, shared, moved.as_deref().unwrap_or(params))
    }
}
