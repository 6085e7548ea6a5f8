//! Densities with their slopes: the density's stages forward and back, and the hash grid's positions behind them.

use super::CpuEngine;
use super::encoder::{ENCODING, Encoder};
use super::infer::DENSITY_BATCH;
use super::pool::{Pool, lock};
use super::tile::CAPACITY;
use rayon::prelude::*;
use std::sync::Mutex;

impl CpuEngine {
    /// Whether densities can be followed back to their positions: through tables alone. An encoding without tables hands
    /// no gradient on unless rays are traced, and what a saliency grid adds between its logits is not followed.
    pub(super) fn has_slopes(&self) -> bool {
        matches!(self.field.encoder, Encoder::Grid { .. }) && self.field.saliency.is_none()
    }

    /// Densities at positions of the unit cube, and their gradients per unit of it.
    pub(super) fn slopes(&mut self, positions: [&[f32]; 3], sigma: &mut [f32], slopes: &mut [[f32; 3]]) {
        self.prepare();
        let decides = self.field.stages.iter().position(|stage| stage.decides_density());
        let stages = 0..decides.map_or(0, |stage| stage + 1);
        // The networks' own gradients come along; nobody asks for them.
        let most = self.field.stages[stages.clone()].iter().map(|stage| stage.grads()).max().unwrap_or(0);
        let unread: Vec<Mutex<Vec<f32>>> =
            (0..self.pool.threads()).map(|_| Mutex::new(vec![0.0; most])).collect();
        let batches = sigma.chunks_mut(DENSITY_BATCH).zip(slopes.chunks_mut(DENSITY_BATCH));
        for (batch, (sigma, slopes)) in batches.enumerate() {
            let at = batch * DENSITY_BATCH;
            self.rounds.tiles.clear();
            let tiles = self.rounds.tiles.extend(sigma.len().div_ceil(CAPACITY));
            self.rounds.tiles.par_iter_mut().enumerate().for_each(|(i, tile)| {
                let from = at + i * CAPACITY;
                let range = from..(from + CAPACITY).min(at + slopes.len());
                tile.set_positions(positions.map(|axis| &axis[range.clone()]));
            });
            self.encode(tiles);
            let (isa, params, field, workspaces) = (self.isa, &self.params, &self.field, &self.workspaces);
            let share = self.rounds.tiles.len().div_ceil(self.pool.threads()).max(1);
            let shares = self.rounds.tiles.par_chunks_mut(share);
            let outputs = sigma.par_chunks_mut(share * CAPACITY).zip(slopes.par_chunks_mut(share * CAPACITY));
            shares.zip(outputs).for_each(|(tiles, (sigma, slopes))| {
                for (tile, sigma) in tiles.iter_mut().zip(sigma.chunks_mut(CAPACITY)) {
                    let ws = &mut *lock(&workspaces[Pool::worker()]);
                    field.probe(ws, tile, &[]);
                    sigma.copy_from_slice(&ws.sigma[..sigma.len()]);
                    let n = ws.len;
                    ws.slots.iter_mut().for_each(|slot| slot.clear_grad(n));
                    ws.d_sigma[..n].fill(1.0);
                    let unread = &mut *lock(&unread[Pool::worker()]);
                    for stage in field.stages[stages.clone()].iter().rev() {
                        stage.backward(ws, &mut unread[..stage.grads()]);
                    }
                    let slot = &ws.slots[ENCODING];
                    tile.layout(slot.stride).to_levels(isa, n, &slot.grad, tile.encoded_mut());
                    tile.trace_points();
                }
                if let Encoder::Grid { levels, blocks, .. } = &field.encoder {
                    let tables = levels.iter().zip(&params.blocks()[blocks.clone()]).enumerate();
                    for (l, (level, block)) in tables {
                        tiles.iter_mut().for_each(|tile| tile.trace_level(isa, l, level, &block.weight));
                    }
                }
                for (tile, slopes) in tiles.iter().zip(slopes.chunks_mut(CAPACITY)) {
                    let [x, y, z] = &tile.d_position;
                    slopes.iter_mut().enumerate().for_each(|(i, slope)| *slope = [x[i], y[i], z[i]]);
                }
            });
        }
    }
}
