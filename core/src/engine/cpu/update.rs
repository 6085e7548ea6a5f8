//! The last phase of a step: dense blocks, and the tables level by level.

use super::pool::{Pool, lock};
use super::{BatchEngine, GROUPS, SaliencyBlock};
use crate::engine::StepInput;
use crate::ops::{hash_grid, saliency};
use rayon::prelude::*;

impl BatchEngine {
    /// Sums the groups' gradients in order and updates the dense blocks.
    pub(super) fn update_dense(&mut self, rate: f32) {
        let tiles = self.finals.len();
        let active = tiles.div_ceil(tiles.div_ceil(GROUPS).max(1));
        // Without any sample the gradient is zero; Adam's moments decay all the same.
        if let Some((first, rest)) = self.groups[..active].split_first_mut() {
            first.grads.par_chunks_mut(1024).enumerate().for_each(|(c, sum)| {
                for group in rest.iter() {
                    sum.iter_mut().zip(&group.grads[c * 1024..]).for_each(|(s, g)| *s += g);
                }
            });
            let mut start = 0;
            for stage in &self.field.stages {
                let end = start + stage.grads();
                stage.collect(&first.grads[start..end], &mut self.params);
                start = end;
            }
        }
        let (isa, t, tables) = (self.isa, self.params.step, &self.field.grid.blocks);
        let saliency = self.field.saliency.map(|s| s.block);
        let (blocks, groups) = self.params.split();
        let others =
            blocks.iter_mut().enumerate().filter(|(i, _)| !tables.contains(i) && Some(*i) != saliency);
        for (_, block) in others {
            let group = &groups[block.spec.group];
            block.update(isa, group, rate, t);
        }
    }

    /// Scatters the encodings' gradients into the tables and updates them, level by level, and beside them the
    /// saliency grid. Returns the mean of the latter.
    pub(super) fn update_tables(&mut self, input: &StepInput<'_>) -> f64 {
        let StepInput { rate, pruning, .. } = *input;
        let (isa, t, grid, tables) = (self.isa, self.params.step, &self.field.grid, &self.tables);
        let tiles = &*self.finals;
        let (blocks, groups) = self.params.split();
        let (blocks, masks) = blocks.split_at_mut(self.field.saliency.map_or(blocks.len(), |s| s.block));
        let update_saliency = || {
            let (Some(SaliencyBlock { side, limit, .. }), [block, ..]) = (self.field.saliency, masks) else {
                return 0.0;
            };
            if let Some(slope) = pruning {
                for tile in tiles.iter().filter(|tile| tile.len > 0) {
                    saliency::backward(isa, side, tile.points(), tile.len, &tile.logit, &mut block.grad);
                }
                saliency::penalize(isa, slope, &block.weight, &mut block.grad);
                block.update(isa, &groups[block.spec.group], rate, t);
                saliency::clamp(limit, &mut block.weight);
            }
            saliency::mean(isa, &block.weight)
        };
        let blocks = &mut blocks[grid.blocks.clone()];
        let update_tables = || {
            blocks.par_iter_mut().enumerate().with_max_len(1).for_each(|(l, block)| {
                let level = &grid.levels[l];
                let mut grad = lock(&tables[Pool::worker()]);
                let grad = &mut grad[..level.entries * level.features];
                for tile in tiles.iter().filter(|tile| tile.len > 0) {
                    hash_grid::backward_level(isa, level, tile.points(), tile.len, tile.level(l), grad);
                }
                let group = &groups[block.spec.group];
                block.update_from(isa, group, rate, t, grad);
            })
        };
        rayon::join(update_saliency, update_tables).0
    }
}
