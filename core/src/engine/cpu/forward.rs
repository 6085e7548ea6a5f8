//! From positions to densities: tiles are encoded level by level, and probed.

use super::layout::FieldLayout;
use super::pool::{Pool, lock};
use super::tile::{Probed, Tile};
use super::{BatchEngine, Prepare, Workspace};
use crate::engine::Ray;
use crate::ops::composite::Carry;
use crate::ops::{hash_grid, saliency};
use rayon::prelude::*;
use std::ops::Range;

impl BatchEngine {
    /// Hands the current parameters to the stages.
    pub(super) fn prepare(&mut self) {
        let Self { params, precision, progress, .. } = self;
        for stage in &mut self.field.stages {
            stage.prepare(Prepare { params, precision: *precision, progress: *progress });
        }
    }

    /// Fills the encodings of some of the rounds' tiles, level by level.
    pub(super) fn encode(&mut self, tiles: Range<usize>) {
        let (isa, params, FieldLayout { grid, saliency, .. }) = (self.isa, &self.params, &self.field);
        let share = tiles.len().div_ceil(self.pool.threads()).max(1);
        self.rounds.tiles[tiles].par_chunks_mut(share).for_each(|tiles| {
            for (l, (level, block)) in grid.levels.iter().zip(grid.blocks.clone()).enumerate() {
                for tile in tiles.iter_mut() {
                    let (points, out) = tile.points_and_level(l);
                    hash_grid::forward_level(isa, level, params.weight(block), points, out);
                }
            }
            if let Some(block) = saliency {
                let grid = params.weight(block.block);
                for tile in tiles.iter_mut() {
                    let (points, out) = tile.points_and_logits();
                    saliency::forward(isa, block.side, grid, points, out);
                }
            }
        });
    }

    /// Computes the densities of some of the rounds' tiles: which samples count, and what gets through behind them. Leaves
    /// their rows to the tiles.
    pub(super) fn probe(&mut self, tiles: Range<usize>) {
        let (field, workspaces) = (&self.field, &self.workspaces);
        let transmittance = &self.rounds.transmittance;
        self.rounds.tiles[tiles.clone()].par_iter_mut().for_each(|tile| {
            let ws = &mut *lock(&workspaces[Pool::worker()]);
            field.probe(ws, tile, transmittance);
            ws.leave_rows(tile, field.input);
            tile.probed.clear();
            tile.probed.extend(
                ws.spans
                    .iter()
                    .zip(&ws.behind)
                    .map(|(span, behind)| Probed { visible: span.len, transmittance: behind.transmittance }),
            );
        });
        self.rounds.note_probed(tiles);
    }
}

impl FieldLayout {
    /// The stages of a tile up to the densities; nothing is dropped. `transmittance`: per ray, what gets to the tile.
    pub(super) fn probe(&self, ws: &mut Workspace, tile: &Tile, transmittance: &[f32]) {
        ws.load(tile, self.input);
        ws.carry.clear();
        ws.carry.extend(ws.spans.iter().map(|s| Carry { transmittance: transmittance[s.ray as usize] }));
        ws.probing = true;
        for stage in &self.stages {
            stage.forward(ws);
            if stage.decides_density() {
                break;
            }
        }
        ws.probing = false;
    }
}

/// Looks up the tile's rays in the batch; nothing has been seen along them yet.
pub(super) fn start_rays(ws: &mut Workspace, rays: &[Ray]) {
    ws.direction.clear();
    ws.direction.extend(ws.spans.iter().map(|s| rays[s.ray as usize].direction));
    ws.d_direction.clear();
    ws.carry.clear();
    ws.carry.resize(ws.spans.len(), Carry::default());
}
