//! The field's networks over samples, and what they are given: encodings and saliency.

use super::CudaEngine;
use super::blocks;
use crate::engine::EngineError;
use crate::gpu::params::{self, EncodeParams, LookUpParams, NetworkParams, ProbeParams};
use crate::gpu::{Address, Kernel, launch};
use bytemuck::Pod;

impl CudaEngine<'_> {
    /// Starts a kernel for so many items.
    pub(super) fn run<P: Pod>(
        &mut self,
        kernel: Kernel<P>,
        items: usize,
        params: &P,
    ) -> Result<(), EngineError> {
        let blocks = blocks(items, kernel.threads, self.gpu.processors());
        Ok(launch(&mut *self.gpu, kernel, blocks, 0, params)?)
    }

    /// Starts a kernel of the networks, for up to so many samples, with so much shared memory.
    pub(super) fn run_network<P: Pod>(
        &mut self,
        [half, single]: [Kernel<P>; 2],
        samples: usize,
        shared: u32,
        params: &P,
    ) -> Result<(), EngineError> {
        let kernel = if self.plan.half { half } else { single };
        let tiles = samples.div_ceil(self.plan.rows() as usize) as u32;
        let blocks = tiles.min(2 * self.gpu.processors());
        Ok(launch(&mut *self.gpu, kernel, blocks, shared, params)?)
    }

    /// Encodes the samples of the range of marched ones, `most` at most, and looks their saliency up.
    pub(super) fn encode(&mut self, most: usize) -> Result<(), EngineError> {
        let shape = &self.plan.shape;
        let threads = params::ENCODE_F16.threads;
        let each = blocks(most, threads, self.gpu.processors());
        let tables = &self.store.tables;
        let given = EncodeParams {
            levels: self.levels,
            level_count: shape.levels,
            features: shape.level_features,
            blocks: each,
            pad: 0,
            tables: if self.plan.half { tables.copies } else { tables.weights },
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.marched(),
            out: self.arena.features,
        };
        let kernel = if self.plan.half { params::ENCODE_F16 } else { params::ENCODE_F32 };
        launch(&mut *self.gpu, kernel, each * shape.levels, 0, &given)?;
        let (Some(saliency), Some(grid)) = (&self.store.saliency, self.spec.saliency) else { return Ok(()) };
        let given = LookUpParams {
            grid: saliency.weights,
            side: grid.side as u32,
            pad: 0,
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            range: self.arena.marched(),
            logits: self.arena.logits,
        };
        self.run(params::LOOK_UP_SALIENCY, most, &given)
    }

    /// What the networks' kernels are given for a range of samples.
    pub(super) fn network(&self, range: Address, source: Address) -> NetworkParams {
        let (networks, arena) = (&self.store.networks, &self.arena);
        NetworkParams {
            shape: self.plan.shape,
            weights: if self.plan.half { networks.copies } else { networks.weights },
            features: arena.features,
            capacity: arena.capacity as u64,
            logits: if self.store.saliency.is_some() { arena.logits } else { Address::default() },
            step: arena.state(),
            range,
            source,
            sample_ray: arena.samples().ray,
            rays: arena.rays,
        }
    }

    /// Densities of the range of marched samples.
    pub(super) fn probe(&mut self, most: usize) -> Result<(), EngineError> {
        let net = self.network(self.arena.marched(), Address::default());
        let (given, shared) = (ProbeParams { net, sigma: self.arena.sigma }, self.plan.shared_memory().probe);
        self.run_network([params::PROBE_F16, params::PROBE_F32], most, shared, &given)
    }
}
