//! Cells of an occupancy grid in the device's memory, and visits to them.

use super::CudaEngine;
use crate::engine::{EngineError, VisitedCells, Visits};
use crate::gpu::params::{self, CellSet, VisitParams};
use crate::gpu::{Address, Gpu, GpuError};
use crate::ops::march::Bitfield;

/// Words of 64 cells of which one number tells how many set cells lie in front.
const GROUP: usize = 64;

/// Visits that are made together: no more than a step's samples, so that they need no more memory.
const BATCH: usize = 1 << 17;

/// Set cells on the device.
#[derive(Debug)]
pub(super) struct HeldCells {
    bits: Bitfield,
    pub set: CellSet,
    pub blocks: Address,
}

impl HeldCells {
    /// Copies cells to the device, if they are others than those that are held.
    pub fn hold<'a>(
        held: &'a mut Option<Self>,
        gpu: &mut dyn Gpu,
        bits: &Bitfield,
    ) -> Result<&'a Self, GpuError> {
        if let Some(old) = held.take_if(|held| held.bits.words().len() != bits.words().len()) {
            [old.set.words, old.set.ranks, old.blocks].into_iter().for_each(|at| gpu.free(at));
        }
        match held {
            Some(cells) => {
                if cells.bits != *bits {
                    cells.bits.clone_from(bits);
                    cells.upload(gpu)?;
                }
                Ok(cells)
            }
            None => {
                let words = bits.words().len();
                let set =
                    CellSet { words: gpu.alloc(8 * words)?, ranks: gpu.alloc(4 * (words / GROUP + 1))? };
                let cells = Self { bits: bits.clone(), set, blocks: gpu.alloc(8 * bits.blocks().len())? };
                cells.upload(gpu)?;
                Ok(held.insert(cells))
            }
        }
    }

    fn upload(&self, gpu: &mut dyn Gpu) -> Result<(), GpuError> {
        gpu.upload(self.set.words, bytemuck::cast_slice(self.bits.words()))?;
        gpu.upload(self.set.ranks, bytemuck::cast_slice(&ranks(&self.bits)))?;
        gpu.upload(self.blocks, bytemuck::cast_slice(self.bits.blocks()))
    }
}

/// How many set cells lie in front of each group of words, and in all.
fn ranks(bits: &Bitfield) -> Vec<u32> {
    let mut sum = 0;
    let mut ranks = vec![0];
    for group in bits.words().chunks(GROUP) {
        sum += group.iter().map(|word| word.count_ones()).sum::<u32>();
        ranks.push(sum);
    }
    ranks
}

impl CudaEngine<'_> {
    /// Makes visits to cells: the device picks them and computes their densities, and only these come back.
    pub(super) fn visit(&mut self, visits: &Visits<'_>, density: &mut [f32]) -> Result<(), EngineError> {
        let batch = BATCH.min(visits.count.max(1));
        let (mut cells, mut sigma) = (vec![0u32; batch], vec![0.0f32; batch]);
        for first in (0..visits.count).step_by(batch) {
            let n = batch.min(visits.count - first);
            self.pick(visits, first, density.len(), &mut cells[..n])?;
            self.placed_densities(&mut sigma[..n])?;
            for (cell, sigma) in cells[..n].iter().zip(&sigma) {
                let d = &mut density[*cell as usize];
                *d = (*d * visits.decay).max(*sigma);
            }
        }
        Ok(())
    }

    /// The cells, of `all`, that the visits from `first` on go to; their places are the positions of marched samples.
    pub(super) fn pick(
        &mut self,
        visits: &Visits<'_>,
        first: usize,
        all: usize,
        cells: &mut [u32],
    ) -> Result<(), EngineError> {
        self.arena.hold_samples(&mut *self.gpu, &self.plan, cells.len())?;
        self.begin(self.look(0, 0.0), 0.0)?;
        self.set_range(cells.len())?;
        let mut given = VisitParams {
            seed: visits.key.seed,
            step: visits.key.step,
            first: first as u32,
            cells: all as u32,
            groups: (all / 64 / GROUP) as u32,
            in_order: 1,
            side: self.spec.box_side,
            range: self.arena.marched(),
            picked: self.arena.source,
            positions: self.arena.positions(),
            capacity: self.arena.capacity as u64,
            ..VisitParams::default()
        };
        if let VisitedCells::Random { occupied, open, mixed } = visits.cells {
            (given.in_order, given.mixed) = (0, mixed);
            given.occupied = HeldCells::hold(&mut self.occupied, &mut *self.gpu, occupied)?.set;
            if let Some(open) = open {
                given.open = HeldCells::hold(&mut self.open, &mut *self.gpu, open)?.set;
            }
        }
        self.run(params::VISIT_CELLS, cells.len(), &given)?;
        Ok(self.gpu.download(self.arena.source, bytemuck::cast_slice_mut(cells))?)
    }
}
