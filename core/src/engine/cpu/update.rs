//! The last phase of a step: dense blocks, and the tables level by level.

use super::encoder::Encoder;
use super::field::Saliency;
use super::pool::{Pool, lock};
use super::{CpuEngine, GROUPS};
use crate::engine::Step;
use crate::ops::{hash_grid, saliency};
use rayon::prelude::*;

impl CpuEngine {
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
        let (isa, t) = (self.isa, self.params.step);
        let tables = match &self.field.encoder {
            Encoder::Grid { blocks, .. } => blocks.clone(),
            Encoder::Frequency { .. } => 0..0,
        };
        let saliency = self.field.saliency.map(|grid| grid.block.index());
        let (blocks, groups) = self.params.split();
        let others =
            blocks.iter_mut().enumerate().filter(|(i, _)| !tables.contains(i) && Some(*i) != saliency);
        for (_, block) in others {
            let group = &groups[block.spec.group.index()];
            block.update(isa, group, rate, t);
        }
    }

    /// Scatters the encodings' gradients into the tables and updates them, level by level, and beside them the
    /// saliency grid. Returns the mean of the latter.
    pub(super) fn update_tables(&mut self, step: &Step<'_>) -> f64 {
        let Step { rate, pruning, .. } = *step;
        let (isa, t, scratch) = (self.isa, self.params.step, &self.tables);
        let (levels, tables) = match &self.field.encoder {
            Encoder::Grid { levels, blocks, .. } => (&levels[..], blocks.clone()),
            Encoder::Frequency { .. } => (&[][..], 0..0),
        };
        let tiles = &*self.finals;
        let saliency = self.field.saliency;
        let logits = saliency.map_or(0..0, |grid| grid.block.index()..grid.block.index() + 1);
        let (blocks, groups) = self.params.split();
        let Ok([blocks, masks]) = blocks.get_disjoint_mut([tables, logits]) else {
            unreachable!("the saliency grid is none of the tables")
        };
        let update_saliency = || {
            let (Some(Saliency { side, limit, .. }), [block, ..]) = (saliency, masks) else {
                return 0.0;
            };
            if let Some(slope) = pruning {
                for tile in tiles.iter().filter(|tile| tile.len > 0) {
                    saliency::backward(isa, side, tile.points(), tile.len, &tile.logit, &mut block.grad);
                }
                saliency::penalize(isa, slope, &block.weight, &mut block.grad);
                block.update(isa, &groups[block.spec.group.index()], rate, t);
                saliency::clamp(limit, &mut block.weight);
            }
            saliency::mean(isa, &block.weight)
        };
        let update_tables = || {
            blocks.par_iter_mut().zip(levels).enumerate().with_max_len(1).for_each(|(l, (block, level))| {
                let mut grad = lock(&scratch[Pool::worker()]);
                let grad = &mut grad[..level.entries * level.features];
                for tile in tiles.iter().filter(|tile| tile.len > 0) {
                    hash_grid::backward_level(isa, level, tile.points(), tile.len, tile.level(l), grad);
                }
                let group = &groups[block.spec.group.index()];
                block.update_from(isa, group, rate, t, grad);
            })
        };
        rayon::join(update_saliency, update_tables).0
    }
}
